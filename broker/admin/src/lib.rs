//! admin room.
