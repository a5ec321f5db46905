//! The floor for a delivery: one `send` of ready bytes to each socket and nothing else.
//!
//! It prints its address. The first connection is the control connection; its commands are lines:
//!
//! | command | does |
//! |---|---|
//! | `accept N` | accepts N connections and writes one byte to each |
//! | `frame BYTES`, then that many bytes | sets what is sent |
//! | `send FIRST COUNT TIMES` | sends the frame to COUNT sockets from FIRST on, one after the other, TIMES times |
//! | `drop` | closes all connections |
//!
//! It ends when the control connection does.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};

use anyhow::{Context, bail};
use socket2::{Domain, Protocol, Socket, Type};

/// The same as the fan-out's own.
const BACKLOG: i32 = 4096;

/// The greeting of a connection: proof that it was accepted.
const GREETING: &[u8] = b".";

struct Floor {
    listener: TcpListener,
    sockets: Vec<TcpStream>,
    frame: Vec<u8>,
}

fn main() -> anyhow::Result<()> {
    let listener = listener().context("cannot listen")?;
    let address = listener.local_addr().context("no address")?;
    writeln!(io::stdout(), "{address}").context("nobody reads the address")?;
    let (control, _) = listener.accept().context("no control connection")?;
    control.set_nodelay(true)?;
    let mut control = BufReader::new(control);
    let mut floor = Floor { listener, sockets: Vec::new(), frame: Vec::new() };
    let mut line = String::new();
    while control.read_line(&mut line)? > 0 {
        floor.carry_out(line.trim_end(), &mut control).with_context(|| format!("command {line:?}"))?;
        line.clear();
    }
    Ok(())
}

fn listener() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Floor {
    fn carry_out(&mut self, command: &str, control: &mut impl Read) -> anyhow::Result<()> {
        let mut words = command.split(' ');
        let verb = words.next().unwrap_or_default();
        let numbers: Vec<usize> = words.map(str::parse).collect::<Result<_, _>>()?;
        match (verb, &numbers[..]) {
            ("accept", [count]) => self.accept(*count)?,
            ("frame", [bytes]) => {
                self.frame = vec![0; *bytes];
                control.read_exact(&mut self.frame)?;
            }
            ("send", [first, count, times]) => self.send(*first, *count, *times)?,
            ("drop", []) => self.sockets.clear(),
            _ => bail!("no such command"),
        }
        Ok(())
    }

    fn accept(&mut self, count: usize) -> io::Result<()> {
        self.sockets.reserve(count);
        for _ in 0..count {
            let (mut socket, _) = self.listener.accept()?;
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            socket.write_all(GREETING)?;
            self.sockets.push(socket);
        }
        Ok(())
    }

    fn send(&mut self, first: usize, count: usize, times: usize) -> anyhow::Result<()> {
        let sockets = self.sockets.get_mut(first..first + count).context("there are fewer sockets")?;
        for _ in 0..times {
            for socket in &mut *sockets {
                send(socket, &self.frame)?;
            }
        }
        Ok(())
    }
}

/// One non-blocking write; more only if the kernel takes less than all of it.
fn send(socket: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
