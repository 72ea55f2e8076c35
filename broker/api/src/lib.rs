//! api room.
