//! model room.
