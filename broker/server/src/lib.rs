//! server room.
