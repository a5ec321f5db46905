//! A proxy that can be held, slowed and cut, to simulate a bad network between two processes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const PIECE: usize = 16 << 10;

/// The state of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing passes, and neither side is notified.
    Held,
    /// Open connections are reset, and new ones refused.
    Cut,
}

#[derive(Debug, Clone, Copy)]
struct Wire {
    state: State,
    /// The delay of each piece.
    delay: Duration,
    /// How often it was cut: earlier connections stay broken.
    cuts: u64,
    /// How often its connections were lost: nothing passes on earlier ones any more.
    losses: u64,
}

/// A listening port whose connections lead to another; it ends when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Opens a proxy to an address, on a free port.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        Self::from(listener, target)
    }

    /// Opens a proxy to an address, on this port.
    ///
    /// # Panics
    /// If the port is taken.
    pub async fn between(listen: SocketAddr, target: SocketAddr) -> Self {
        Self::from(TcpListener::bind(listen).await.expect("a free port"), target)
    }

    fn from(listener: TcpListener, target: SocketAddr) -> Self {
        let address = listener.local_addr().expect("an address");
        let (wire, state) = watch::channel(Wire { state: State::Open, delay: Duration::ZERO, cuts: 0, losses: 0 });
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connection(near, target, state.clone()));
            }
        });
        Self { address, wire, task }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds everything that is sent; neither side is notified.
    pub fn hold(&self) {
        self.wire.send_modify(|wire| wire.state = State::Held);
    }

    /// Resets all open connections, and refuses new ones.
    pub fn cut(&self) {
        self.wire.send_modify(|wire| {
            wire.state = State::Cut;
            wire.cuts += 1;
        });
    }

    /// Resets all open connections, and accepts new ones at once.
    pub fn reset(&self) {
        self.cut();
        self.mend();
    }

    /// Silently loses all open connections, like a firewall that forgets them; new ones work.
    pub fn lose(&self) {
        self.wire.send_modify(|wire| wire.losses += 1);
    }

    /// Delays each piece that is sent.
    pub fn slow(&self, delay: Duration) {
        self.wire.send_modify(|wire| wire.delay = delay);
    }

    /// Restores the connection; held data is delivered.
    pub fn mend(&self) {
        self.wire.send_modify(|wire| {
            wire.state = State::Open;
            wire.delay = Duration::ZERO;
        });
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The open connections end with the sender of their state.
        self.task.abort();
    }
}

async fn connection(mut near: TcpStream, target: SocketAddr, mut wire: watch::Receiver<Wire>) {
    let born = *wire.borrow_and_update();
    let was_broken = born.state == State::Cut
        || tokio::select! {
            () = broken(wire.clone(), born.cuts) => true,
            _ = carry(&mut near, target, wire, born.losses) => false,
        };
    if was_broken {
        // A lost network resets a connection instead of closing it.
        let _ = near.set_zero_linger();
    }
}

/// Waits until earlier connections are broken, or the proxy is gone.
async fn broken(mut wire: watch::Receiver<Wire>, cuts: u64) {
    let _ = wire.wait_for(|wire| wire.cuts != cuts).await;
}

async fn carry(
    near: &mut TcpStream,
    target: SocketAddr,
    mut wire: watch::Receiver<Wire>,
    losses: u64,
) -> io::Result<()> {
    open(&mut wire).await?;
    let mut far = TcpStream::connect(target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_read, near_write) = near.split();
    let (far_read, far_write) = far.split();
    let both = async {
        tokio::try_join!(pump(near_read, far_write, wire.clone()), pump(far_read, near_write, wire.clone())).map(drop)
    };
    tokio::select! {
        carried = both => return carried,
        () = lost(wire.clone(), losses) => {}
    }
    // Neither side is notified: both stay open until one gives up.
    std::future::pending().await
}

/// Waits until earlier connections are lost.
async fn lost(mut wire: watch::Receiver<Wire>, losses: u64) {
    let _ = wire.wait_for(|wire| wire.losses != losses).await;
}

/// Waits while the proxy holds data.
async fn open(wire: &mut watch::Receiver<Wire>) -> io::Result<Duration> {
    let open = wire.wait_for(|wire| wire.state == State::Open).await;
    open.map(|wire| wire.delay).map_err(io::Error::other)
}

async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut wire: watch::Receiver<Wire>) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        let delay = open(&mut wire).await?;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
