//! An upstream that answers every request after the same time. A thread for each connection.

use anyhow::Result;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Connections that may wait to be accepted. With the 128 of the standard library some of many that come at once are
/// dropped, and try again after a second.
const WAITING: u32 = 4096;

/// Starts it; it ends with this process.
pub(crate) fn start(late: Duration) -> Result<SocketAddr> {
    let listener = listener()?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = std::thread::Builder::new().stack_size(64 << 10).spawn(move || serve(stream, late));
        }
    });
    Ok(address)
}

fn listener() -> Result<TcpListener> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let listener = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        socket.listen(WAITING)?.into_std()
    })?;
    listener.set_nonblocking(false)?;
    Ok(listener)
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
