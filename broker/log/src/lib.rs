//! log room.
