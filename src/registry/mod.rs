//! The releases there are: the catalogue of tested ones, and the npm registry for the others.

pub mod catalogue;
