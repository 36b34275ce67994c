//! Markup that cannot be broken out of: every text and every attribute is escaped where it is
//! written.

use std::fmt::{self, Display, Write};

/// A text as it may stand in markup, in an element or an attribute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped<T>(pub(super) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

struct Escaper<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '&' => self.0.write_str("&amp;"),
            '<' => self.0.write_str("&lt;"),
            '>' => self.0.write_str("&gt;"),
            '"' => self.0.write_str("&quot;"),
            '\'' => self.0.write_str("&#39;"),
            // Nothing else below the space may stand in a page at all.
            c if c.is_control() && c != '\n' => self.0.write_char('\u{fffd}'),
            c => self.0.write_char(c),
        })
    }
}

/// An element with its attributes, and a text that the reader sees on hovering.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    name: &'static str,
    attributes: String,
    hover: Option<String>,
    text: Option<String>,
}

impl Tag {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, attributes: String::new(), hover: None, text: None }
    }

    pub(super) fn attr(mut self, name: &str, value: impl Display) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.attributes, " {name}=\"{}\"", Escaped(value));
        self
    }

    pub(super) fn hover(mut self, text: impl Into<String>) -> Self {
        self.hover = Some(text.into());
        self
    }

    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }
}

impl Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, attributes, .. } = self;
        write!(f, "<{name}{attributes}>")?;
        self.hover.iter().try_for_each(|text| write!(f, "<title>{}</title>", Escaped(text)))?;
        self.text.iter().try_for_each(|text| write!(f, "{}", Escaped(text)))?;
        writeln!(f, "</{name}>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_text_hover_or_attribute() {
        let evil = "\"></svg><script>alert('&\u{7}')</script>";
        let tag = Tag::new("rect").attr("class", evil).hover(evil).text(evil).to_string();
        assert_eq!(tag.matches('<').count(), 4, "{tag}");
        assert!(!tag.contains("<script") && !tag.contains('\'') && !tag.contains('\u{7}'));
        assert!(tag.contains("&quot;&gt;&lt;/svg&gt;&lt;script&gt;alert(&#39;&amp;\u{fffd}&#39;)"));
    }
}
