//! The frames of a gRPC call's body: a byte that says whether a message is compressed, its length in four bytes, the message.
//!
//! They are held against their form here, because `tonic` calls what is wrong with them `INTERNAL`, and it is the caller's mistake.

use tonic::Status;

const HEAD_BYTES: usize = 5;

/// How far they have come.
#[derive(Default)]
pub(crate) struct Frames {
    /// Of the next message.
    head: Vec<u8>,
    /// How much is to come of the one before.
    left: usize,
    count: usize,
}

impl Frames {
    /// Takes what has come, or says what is wrong with it.
    pub(crate) fn came(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (of_message, rest) = bytes.split_at(self.left.min(bytes.len()));
                (self.left, bytes) = (self.left - of_message.len(), rest);
                continue;
            }
            let (of_head, rest) = bytes.split_at((HEAD_BYTES - self.head.len()).min(bytes.len()));
            self.head.extend(of_head);
            bytes = rest;
            if let Ok([compressed, length @ ..]) = <[u8; HEAD_BYTES]>::try_from(&self.head[..]) {
                expect_plain(compressed)?;
                self.left = u32::from_be_bytes(length) as usize;
                self.head.clear();
                self.count += 1;
            }
        }
        Ok(())
    }

    /// Takes that nothing more comes, or says what is missing; `required` is whether there is to be a message.
    pub(crate) fn ended(&self, required: bool) -> Result<(), Status> {
        match self.left > 0 || !self.head.is_empty() {
            true => Err(Status::invalid_argument("the call's last message breaks off")),
            false if required && self.count == 0 => Err(Status::invalid_argument("the call has no message")),
            false => Ok(()),
        }
    }
}

fn expect_plain(compressed: u8) -> Result<(), Status> {
    match compressed {
        0 => Ok(()),
        1 => Err(Status::unimplemented("a message is compressed; this server reads messages as they are")),
        other => Err(Status::invalid_argument(format!("a message begins with the byte {other}, expected 0"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn ended(bytes: &[u8], pieces: usize, required: bool) -> Result<(), Code> {
        let mut frames = Frames::default();
        let come = bytes.chunks(pieces).try_for_each(|piece| frames.came(piece));
        come.and_then(|()| frames.ended(required)).map_err(|status| status.code())
    }

    #[test]
    fn what_is_no_frame_is_the_callers_mistake_in_whatever_pieces_it_comes() {
        let wrong = Err(Code::InvalidArgument);
        for (bytes, required, expected) in [
            (&b"\0\0\0\0\x02ab"[..], true, Ok(())),
            (b"\0\0\0\0\0", true, Ok(())),
            (b"\0\0\0\0\0\0\0\0\0\x01a", true, Ok(())),
            (b"", false, Ok(())),
            (b"", true, wrong),
            (b"\0\0\0\0", false, wrong),
            (b"\0\0\0\0\x02a", false, wrong),
            (b"\0\0\0\0\x01ab", false, wrong),
            (b"\0\xff\xff\xff\xffa", false, wrong),
            (b"\x02\0\0\0\0", false, wrong),
            (b"\x01\0\0\0\x01a", false, Err(Code::Unimplemented)),
            (b"\0\0\0\0\x01a\x01\0\0\0\0", false, Err(Code::Unimplemented)),
        ] {
            for pieces in [1, 2, 3, 100] {
                assert_eq!(ended(bytes, pieces, required), expected, "{bytes:?} in pieces of {pieces}");
            }
        }
    }
}
