//! Typed contexts to text, by strict handlebars templates.
