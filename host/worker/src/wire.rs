//! Frames on a Unix socket: two lengths, a JSON header, a body; and, from server to worker, a descriptor.
//!
//! The worker's end blocks. The server's end never does: it feeds what has come into [`Inbox`] and takes whole frames out,
//! so that half a frame from a stalled worker holds nobody up.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// A header describes tables of many columns and parts; it never carries their rows.
const HEADER_BYTES_MAX: usize = 64 << 20;
/// A checkpoint, or the rows of a request.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 20;

fn frame(header: &impl Serialize, body: &[u8]) -> io::Result<Vec<u8>> {
    let header = serde_json::to_vec(header)?;
    if header.len() > HEADER_BYTES_MAX || body.len() > BODY_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "message is larger than a frame may be"));
    }
    let mut bytes = Vec::with_capacity(8 + header.len() + body.len());
    bytes.extend_from_slice(&(header.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(body);
    Ok(bytes)
}

fn lengths(prefix: [u8; 8]) -> io::Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = prefix;
    let (header, body) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize);
    match header <= HEADER_BYTES_MAX && body <= BODY_BYTES_MAX {
        true => Ok((header, body)),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "frame is larger than it may be")),
    }
}

/// Sends a frame.
pub(crate) fn send(mut socket: &UnixStream, header: &impl Serialize, body: &[u8]) -> io::Result<()> {
    socket.write_all(&frame(header, body)?)
}

/// Sends a frame with a descriptor beside its first byte.
pub(crate) fn send_with(socket: &UnixStream, header: &impl Serialize, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let bytes = frame(header, &[])?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let sent = sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    let mut rest = socket;
    rest.write_all(&bytes[sent..])
}

/// The worker's end: receives a frame and the descriptor that came with it, if one did.
pub(crate) fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<(T, Vec<u8>, Option<OwnedFd>)> {
    let mut prefix = [0; 8];
    let descriptor = read_with_descriptor(socket, &mut prefix)?;
    let (header, body) = lengths(prefix)?;
    let mut bytes = vec![0; header + body];
    let mut reader = socket;
    reader.read_exact(&mut bytes)?;
    let body = bytes.split_off(header);
    Ok((serde_json::from_slice(&bytes)?, body, descriptor))
}

fn read_with_descriptor(socket: &UnixStream, buffer: &mut [u8]) -> io::Result<Option<OwnedFd>> {
    let (mut filled, mut descriptor) = (0, None);
    while filled < buffer.len() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut buffer[filled..])];
        let received = recvmsg(socket.as_fd(), &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += received.bytes;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                descriptor = descriptors.last().or(descriptor);
            }
        }
    }
    Ok(descriptor)
}

/// The server's end: bytes in as they come, whole frames out.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// Reads what there is, without waiting. `false` at the end of the stream.
    pub(crate) fn fill(&mut self, socket: &UnixStream) -> io::Result<bool> {
        let mut chunk = [0; 1 << 16];
        match rustix::net::recv(socket, &mut chunk, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Ok(false),
            Ok((_, count)) => {
                self.bytes.extend_from_slice(&chunk[..count]);
                Ok(true)
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(true),
            // A worker that was killed may reset the socket.
            Err(rustix::io::Errno::CONNRESET) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The next whole frame, if it has come.
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Vec<u8>)>> {
        let Some(prefix) = self.bytes.first_chunk::<8>() else { return Ok(None) };
        let (header, body) = lengths(*prefix)?;
        let end = 8 + header + body;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let message = serde_json::from_slice(&self.bytes[8..8 + header])?;
        let body = self.bytes[8 + header..end].to_vec();
        self.bytes.drain(..end);
        Ok(Some((message, body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_descriptors_cross() {
        let (server, worker) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send_with(&server, &"take this", writer.as_fd()).unwrap();
        drop(writer);
        send(&server, &"and this", b"body").unwrap();
        let (header, body, descriptor) = receive::<String>(&worker).unwrap();
        assert_eq!((header.as_str(), body.len()), ("take this", 0));
        std::fs::File::from(descriptor.unwrap()).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        let (header, body, descriptor) = receive::<String>(&worker).unwrap();
        assert_eq!((header.as_str(), body.as_slice(), descriptor.is_none()), ("and this", b"body".as_slice(), true));
    }

    #[test]
    fn half_a_frame_holds_nobody_up_and_a_giant_is_refused() {
        let (server, worker) = UnixStream::pair().unwrap();
        let mut inbox = Inbox::default();
        let bytes = frame(&"hello", b"").unwrap();
        (&worker).write_all(&bytes[..5]).unwrap();
        assert!(inbox.fill(&server).unwrap());
        assert!(inbox.take::<String>().unwrap().is_none());
        (&worker).write_all(&bytes[5..]).unwrap();
        inbox.fill(&server).unwrap();
        assert_eq!(inbox.take::<String>().unwrap().unwrap().0, "hello");
        (&worker).write_all(&[0xff; 8]).unwrap();
        inbox.fill(&server).unwrap();
        assert!(inbox.take::<String>().is_err());
    }
}
