//! The API as clients meet it: a whole house behind its doors, without a socket.

mod annotations;
mod evals;
mod judges;
mod world;
