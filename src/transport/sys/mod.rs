//! Every `unsafe` block of the program: each with the reason why it is sound.
