//! A TLS socket: encrypted as it is written and decrypted as it is read, by the thread that owns it.
//!
//! Encrypted bytes must be sent, so nothing more is encrypted while the socket has not taken the last record. At most
//! one write waits here; the rest waits in the connection's queue.

use std::cell::{Cell, RefCell, RefMut};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;

use rustls::ServerConnection;
use socket2::SockRef;
use tokio::net::TcpStream;

/// The overhead of a record, at most: in TLS 1.2 a header, a number and a tag.
const RECORD: usize = 29;

/// A socket within TLS.
#[derive(Debug)]
pub(super) struct Secure {
    tcp: TcpStream,
    session: RefCell<ServerConnection>,
    /// How many bytes are sealed and not sent, about.
    sealed: Cell<usize>,
    /// Nothing more comes once they are.
    finishes: Cell<bool>,
}

/// The result of one read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Came {
    /// The bytes on the wire.
    pub(super) bytes: usize,
    /// Nothing more comes for now.
    pub(super) dry: bool,
}

/// The socket as rustls reads and writes it.
struct Socket<'s>(&'s TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Secure {
    pub(super) fn new(tcp: TcpStream, session: ServerConnection) -> Self {
        Self { tcp, session: RefCell::new(session), sealed: Cell::new(0), finishes: Cell::new(false) }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Whether encrypted bytes wait that the socket has not taken yet.
    pub(super) fn waits(&self) -> bool {
        self.session.borrow().wants_write()
    }

    /// How many bytes that is, about.
    pub(super) fn sealed(&self) -> usize {
        if self.waits() { self.sealed.get() } else { 0 }
    }

    /// Sends encrypted bytes, as far as the socket takes them; returns whether it took any.
    ///
    /// # Errors
    /// If the connection fails.
    pub(super) fn send(&self) -> io::Result<bool> {
        let mut session = self.session.borrow_mut();
        let mut sent = 0;
        while session.wants_write() {
            match session.write_tls(&mut Socket(&self.tcp)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.sealed.set(self.sealed.get().saturating_sub(sent));
                    return Ok(sent > 0);
                }
                Err(error) => return Err(error),
            }
        }
        self.sealed.set(0);
        if self.finishes.get() {
            SockRef::from(&self.tcp).shutdown(Shutdown::Write)?;
        }
        Ok(sent > 0)
    }

    /// Encrypts frames and sends them. What it returns as taken is encrypted, and sent as soon as the socket takes it.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] while the socket has not taken earlier bytes, or if the connection fails.
    pub(super) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send()?;
        if self.waits() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = self.session.borrow_mut().writer().write_vectored(slices)?;
        self.sealed.set(taken + RECORD);
        self.send()?;
        Ok(taken)
    }

    /// Reads some bytes into the session; decrypted ones are then in [`Self::opened`].
    ///
    /// # Errors
    /// At the end, or if the connection fails, or the client breaks the TLS protocol, about which it gets an alert.
    pub(super) fn receive(&self) -> io::Result<Came> {
        let mut session = self.session.borrow_mut();
        let bytes = match session.read_tls(&mut Socket(&self.tcp)) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Came { bytes: 0, dry: true }),
            Err(error) => return Err(error),
        };
        let fault = session.process_new_packets().err();
        drop(session);
        // An answer to the client's end of TLS, or an alert.
        let sent = self.send();
        match fault {
            Some(fault) => Err(io::Error::new(ErrorKind::InvalidData, fault)),
            None => sent.map(|_| Came { bytes, dry: false }),
        }
    }

    /// Takes some decrypted bytes; none if there is nothing more for now.
    ///
    /// # Errors
    /// At the end.
    pub(super) fn opened(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut session: RefMut<'_, ServerConnection> = self.session.borrow_mut();
        match session.reader().read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends TLS, once all encrypted bytes are sent.
    ///
    /// # Errors
    /// If the connection fails.
    pub(super) fn finish(&self) -> io::Result<()> {
        self.session.borrow_mut().send_close_notify();
        self.finishes.set(true);
        self.send().map(|_| ())
    }
}
