//! Asking the central how far the lottery is: one question, one answer, over any stream.

use std::io::{self, ErrorKind, Read, Write};

use super::reply::ReplyScanner;
use super::{FrameAssembler, Reply, StatusReport, request};

/// Says Status and waits for the answer, as long as the stream lets it wait.
///
/// # Errors
///
/// Whatever the stream says; [`ErrorKind::UnexpectedEof`] when it ends, and
/// [`ErrorKind::InvalidData`] when the answer is another one.
pub fn ask(stream: &mut (impl Read + Write)) -> io::Result<StatusReport> {
    let mut question = Vec::new();
    request::encode_status(&mut question);
    stream.write_all(&question)?;
    let mut assembler = FrameAssembler::new(ReplyScanner::new(0));
    let mut buffer = [0; 64];
    loop {
        let bytes = match stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        };
        let mut input = &buffer[..bytes];
        match assembler
            .next_frame(&mut input)
            .map(|frame| frame.map(Reply::parse))
        {
            Ok(Some(Ok(Reply::StatusReport(report)))) => return Ok(report),
            Ok(None) => {}
            _ => return Err(io::Error::new(ErrorKind::InvalidData, "no StatusReport")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::reply::AgencyState;

    /// A peer that answers with these bytes, a few at a time.
    struct Peer {
        answer: &'static [u8],
        heard: Vec<u8>,
    }

    impl Read for Peer {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let bytes = self.answer.len().min(3);
            buffer[..bytes].copy_from_slice(&self.answer[..bytes]);
            self.answer = &self.answer[bytes..];
            Ok(bytes)
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_answer_may_come_in_pieces_and_anything_else_is_an_error() {
        let ask_for = |answer| {
            let mut peer = Peer {
                answer,
                heard: Vec::new(),
            };
            let result = ask(&mut peer);
            assert_eq!(peer.heard, [0, 32]);
            result.map_err(|error| error.kind())
        };
        let report = StatusReport {
            agencies: 5,
            missing: 3,
            state: AgencyState::Betting,
        };
        assert_eq!(ask_for(&[0, 33, 0, 0, 0, 5, 0, 0, 0, 3, 0]), Ok(report));
        assert_eq!(ask_for(&[0, 33, 0, 0]), Err(ErrorKind::UnexpectedEof));
        assert_eq!(ask_for(&[0, 3, 0, 1]), Err(ErrorKind::InvalidData));
        assert_eq!(ask_for(b"HTTP/1.1"), Err(ErrorKind::InvalidData));
    }
}
