//! Frames on a Unix socket: two lengths, a JSON header, a body; and, from server to worker, a descriptor.
//!
//! The worker's end blocks. The server's end never does: it feeds what has come into [`Inbox`] and takes whole frames out,
//! so that half a frame from a stalled worker holds nobody up.

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A header describes tables of many columns and parts; it never carries their rows.
const HEADER_BYTES_MAX: usize = 64 << 20;
/// A checkpoint, or the rows of a request.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 20;

/// What the server's end keeps ready for what is next.
const KEPT_BYTES: usize = 1 << 20;

/// A header and a body as they cross the socket.
pub(crate) fn frame(header: &impl Serialize, body: &[u8]) -> io::Result<Vec<u8>> {
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

/// The worker's end: sends a frame, however long that takes.
pub(crate) fn send(mut socket: &UnixStream, header: &impl Serialize, body: &[u8]) -> io::Result<()> {
    socket.write_all(&frame(header, body)?)
}

/// The server's end: sends a frame, with a descriptor beside its first byte if there is one. All of it is gone in time, or
/// it is an error: a worker that takes a byte now and then holds nobody up.
pub(crate) fn send_within(
    socket: &UnixStream,
    header: &impl Serialize,
    body: &[u8],
    mut descriptor: Option<BorrowedFd<'_>>,
    time: Duration,
) -> io::Result<()> {
    let (bytes, deadline) = (frame(header, body)?, Instant::now() + time);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        match send_some(socket, rest, descriptor) {
            Ok(sent) => (rest, descriptor) = (&rest[sent..], None),
            Err(Errno::AGAIN) => wait_writable(socket, deadline)?,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn send_some(socket: &UnixStream, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = descriptor.as_slice();
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
}

fn wait_writable(socket: &UnixStream, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
    match poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&left)) {
        // An interrupted wait is only a shorter one.
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The worker's end: receives a frame and the descriptor that came with it, if one did.
pub(crate) fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<(T, Vec<u8>, Option<OwnedFd>)> {
    let mut prefix = [0; 8];
    // Who waits in `recvmsg` is woken, too, whenever the other end has read something, and for nothing.
    while poll(&mut [PollFd::new(socket, PollFlags::IN)], None) == Err(Errno::INTR) {}
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
        self.bytes.reserve(1 << 16);
        match rustix::net::recv(socket, spare_capacity(&mut self.bytes), RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Ok(false),
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(true),
            // A worker that was killed may reset the socket.
            Err(Errno::CONNRESET) => Ok(false),
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
        // What a large frame took is not kept for as long as the worker is.
        if self.bytes.is_empty() {
            self.bytes.shrink_to(KEPT_BYTES);
        }
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
        send_within(&server, &"take this", b"", Some(writer.as_fd()), Duration::from_secs(10)).unwrap();
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
    fn a_reader_that_takes_a_byte_at_a_time_holds_nobody_up() {
        let (server, worker) = UnixStream::pair().unwrap();
        let (body, time) = (vec![7; 64 << 20], Duration::from_millis(300));
        std::thread::scope(|scope| {
            // It makes room again and again: a timer for each write would begin anew as often.
            scope.spawn(|| while (&worker).read_exact(&mut [0]).is_ok() {});
            let error = send_within(&server, &"giant", &body, None, time).unwrap_err();
            server.shutdown(std::net::Shutdown::Both).unwrap();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn a_frame_larger_than_the_sockets_buffer_arrives() {
        let (server, worker) = UnixStream::pair().unwrap();
        let body = vec![7; 8 << 20];
        std::thread::scope(|scope| {
            let received = scope.spawn(|| receive::<String>(&worker).unwrap());
            send_within(&server, &"giant", &body, None, Duration::from_secs(60)).unwrap();
            assert_eq!(received.join().unwrap().1.len(), 8 << 20);
        });
    }

    #[test]
    fn what_a_large_frame_took_is_given_back() {
        let (server, worker) = UnixStream::pair().unwrap();
        let mut inbox = Inbox::default();
        std::thread::scope(|scope| {
            scope.spawn(|| send(&worker, &"giant", &vec![7; 8 << 20]).unwrap());
            let taken = loop {
                inbox.fill(&server).unwrap();
                if let Some((_, body)) = inbox.take::<String>().unwrap() {
                    break body.len();
                }
            };
            assert_eq!(taken, 8 << 20);
        });
        assert!(inbox.bytes.capacity() <= KEPT_BYTES, "{}", inbox.bytes.capacity());
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

    mod strangers {
        use super::*;
        use crate::message::{FromWorker, ToWorker, Usage};
        use ports::{Answer, Watched};
        use proptest::prelude::*;
        use types::Fault;

        /// What a worker says, as it crosses.
        fn said() -> Vec<u8> {
            let metric = Watched::Metric { name: "loss".to_owned(), value: Some(0.5), index: 3 };
            let outputs = Answer::Outputs { outputs: [].into() };
            let messages = [
                FromWorker::Say { event: metric },
                FromWorker::Open { path: "data/a".to_owned() },
                FromWorker::Checkpoint,
                FromWorker::Answer { result: Ok(Box::new(outputs)), usage: Usage::default() },
                FromWorker::Inferred { fault: Some(Fault::guest("gave up")), transform_us: 1, predict_us: 2 },
            ];
            messages.iter().flat_map(|message| frame(message, b"body").unwrap()).collect()
        }

        /// Takes every frame that there is, as both ends would, until one is refused.
        fn take_all(bytes: Vec<u8>) {
            let (length, mut inbox) = (bytes.len(), Inbox { bytes: bytes.clone() });
            while let Ok(Some((_, body))) = inbox.take::<FromWorker>() {
                assert!(body.len() <= length);
            }
            let _ = Inbox { bytes }.take::<ToWorker>();
        }

        proptest! {
            #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

            #[test]
            fn any_bytes_are_frames_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
                take_all(bytes);
            }

            #[test]
            fn any_damage_to_frames_is_frames_or_refused(
                changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6), kept in any::<usize>(), cut in any::<bool>(),
            ) {
                let mut bytes = said();
                let length = bytes.len();
                changes.iter().for_each(|(place, byte)| bytes[place % length] = *byte);
                bytes.truncate(if cut { kept % length } else { length });
                take_all(bytes);
            }
        }
    }
}
