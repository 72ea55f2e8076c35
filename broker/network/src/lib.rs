//! network room.
