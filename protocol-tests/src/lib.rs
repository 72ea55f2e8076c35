//! protocol-tests room.
