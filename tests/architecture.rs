fn _empty() {}
