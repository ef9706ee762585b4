//! The agencies' side of the floor.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;

use super::{ANSWER_BYTES, FRAME_BYTES};

/// Sends a file, frame by frame, each after the answer to the one before.
///
/// # Errors
///
/// When the file or the connection fails.
pub fn send_file(address: SocketAddr, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut frame = [0; FRAME_BYTES];
    let mut answer = [0; ANSWER_BYTES];
    loop {
        let filled = fill(&mut file, &mut frame)?;
        if filled > 0 {
            stream.write_all(&frame[..filled])?;
        }
        if filled < FRAME_BYTES {
            stream.shutdown(Shutdown::Write)?;
            // Unless the one before was the last and full.
            if filled > 0 {
                stream.read_exact(&mut answer)?;
            }
            return Ok(());
        }
        stream.read_exact(&mut answer)?;
    }
}

fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
