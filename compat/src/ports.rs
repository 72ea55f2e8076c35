//! Ports that brokers under test listen on.
//! Shell: asks the system for them.

use std::net::{Ipv4Addr, TcpListener};

use crate::failure::Outcome;

/// So many ports that were free a moment ago. All are held until all are known, so that they differ.
pub fn free_port_list(count: usize) -> Outcome<Vec<u16>> {
    let held = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<std::io::Result<Vec<_>>>()?;
    Ok(held.iter().map(|one| Ok(one.local_addr()?.port())).collect::<std::io::Result<_>>()?)
}

/// The same, with a name for each.
pub fn free_ports<const N: usize>() -> Outcome<[u16; N]> {
    let ports = free_port_list(N)?;
    Ok(std::array::from_fn(|index| ports[index]))
}
