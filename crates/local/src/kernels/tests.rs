//! Every instruction set against arithmetic in 64-bit floats.
