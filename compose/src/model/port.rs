//! Published ports.

use std::fmt;
use std::net::IpAddr;

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Returns the word of the Compose Specification.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// Reads the word, in either case.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp, Self::Sctp].into_iter().find(|protocol| word.eq_ignore_ascii_case(protocol.word()))
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest, not below `first`.
    pub last: u16,
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// One entry of `ports`; the short form with ranges on both sides has been taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The host address to listen on; [`None`] is every address.
    pub host_ip: Option<IpAddr>,
    /// The host port, or a range of which one free port is taken; [`None`] is any free port.
    pub published: Option<PortRange>,
    /// The port in the container.
    pub target: u16,
    /// The protocol.
    pub protocol: Protocol,
}
