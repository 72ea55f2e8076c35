//! replica room.
