//! metadata room.
