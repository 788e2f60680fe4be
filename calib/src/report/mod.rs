//! Self-contained HTML pages with tables and plots.

pub mod plots;

use std::fmt::Write;

/// A page under construction.
pub struct Page {
    html: String,
}

impl Page {
    /// Returns a page with a title.
    pub fn new(title: &str) -> Page {
        let title = escape(title);
        Page {
            html: format!(
                "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>\
                 body{{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:2rem auto;\
                 padding:0 1rem;color:#111}}table{{border-collapse:collapse;margin:.6rem 0}}\
                 td,th{{padding:.15rem .7rem;border-bottom:1px solid #ddd;text-align:right}}\
                 pre{{overflow-x:auto;font-size:12px}}\
                 td:first-child,th:first-child{{text-align:left}}.note{{background:#fff4d6;\
                 padding:.3rem .6rem}}svg{{max-width:100%;height:auto}}</style><h1>{title}</h1>"
            ),
        }
    }

    /// Adds a heading.
    pub fn section(&mut self, title: &str) -> &mut Page {
        let _ = write!(self.html, "<h2>{}</h2>", escape(title));
        self
    }

    /// Adds a paragraph.
    pub fn paragraph(&mut self, text: &str) -> &mut Page {
        let _ = write!(self.html, "<p>{}</p>", escape(text));
        self
    }

    /// Adds text as it stands, its columns kept.
    pub fn preformatted(&mut self, text: &str) -> &mut Page {
        let _ = write!(self.html, "<pre>{}</pre>", escape(text));
        self
    }

    /// Adds a note that must be seen.
    pub fn note(&mut self, text: &str) -> &mut Page {
        let _ = write!(self.html, "<p class=note>{}</p>", escape(text));
        self
    }

    /// Adds a table.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> &mut Page {
        self.html.push_str("<table><tr>");
        for cell in head {
            let _ = write!(self.html, "<th>{}", escape(cell));
        }
        for row in rows {
            self.html.push_str("<tr>");
            for cell in row {
                let _ = write!(self.html, "<td>{}", escape(cell));
            }
        }
        self.html.push_str("</table>");
        self
    }

    /// Adds a plot as [`plots`] draws it.
    pub fn plot(&mut self, svg: &str) -> &mut Page {
        self.html.push_str(svg);
        self
    }

    /// Returns the page.
    pub fn finish(self) -> String {
        self.html + "</html>\n"
    }
}

/// Returns text that cannot be taken for markup.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_no_markup() {
        let mut page = Page::new("a<b");
        page.section("s").note("1 & 2").table(&["x"], &[vec!["<script>".to_string()]]);
        page.plot(&plots::chart("x", "y", &[plots::Series::line("l", &[(0.0, 1.0), (1.0, 2.0)])]));
        let html = page.finish();
        assert!(html.contains("a&lt;b") && html.contains("&lt;script&gt;"));
        assert!(html.contains("1 &amp; 2") && html.contains("<svg"));
    }
}
