//! protocol room.
