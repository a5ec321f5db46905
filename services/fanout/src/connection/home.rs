//! The home of a connection: the node that negotiated it, and the address at which other nodes reach that node.

/// A process, and the address of its hubs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Home {
    process: u64,
    address: Box<str>,
}

impl Home {
    /// The longest address, in bytes: a token has that much room for it.
    pub const LONGEST_ADDRESS: usize = 128;

    /// The home of what a process negotiates; none if its address is too long.
    #[must_use]
    pub fn new(process: u64, address: &str) -> Option<Self> {
        (address.len() <= Self::LONGEST_ADDRESS).then(|| Self { process, address: address.into() })
    }

    /// The number that the process took by chance.
    #[must_use]
    pub fn process(&self) -> u64 {
        self.process
    }

    /// The address of its hubs, as `host:port`, or `https://host:port` if they speak TLS.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// As bytes within a token.
    pub(super) fn write(&self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(&self.process.to_be_bytes());
        // An address is shorter than a byte counts.
        payload.push(u8::try_from(self.address.len()).unwrap_or_default());
        payload.extend_from_slice(self.address.as_bytes());
    }

    /// Reads it back, and returns what follows it.
    pub(super) fn read(bytes: &[u8]) -> Option<(Option<Self>, &[u8])> {
        let (process, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first()?;
        let (address, rest) = rest.split_at_checked(usize::from(*length))?;
        let address = std::str::from_utf8(address).ok()?;
        Some((Self::new(u64::from_be_bytes(*process), address), rest))
    }
}
