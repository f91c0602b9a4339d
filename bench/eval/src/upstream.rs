//! An upstream that answers every request after the same time. A thread for each connection.

use anyhow::Result;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Starts it; it ends with this process.
pub(crate) fn start(late: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = std::thread::Builder::new().stack_size(64 << 10).spawn(move || serve(stream, late));
        }
    });
    Ok(address)
}

/// Answers until the client goes away.
fn serve(stream: TcpStream, late: Duration) -> std::io::Result<()> {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n\"ok\"";
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let (mut length, mut began) = (0_u64, None);
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            began.get_or_insert_with(Instant::now);
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if let Some((name, value)) = text.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        body.clear();
        (&mut reader).take(length).read_to_end(&mut body)?;
        let gone = began.map_or(Duration::ZERO, |began| began.elapsed());
        std::thread::sleep(late.saturating_sub(gone));
        writer.write_all(ANSWER)?;
    }
}
