//! HTML that a caller wrote, for a page that others see.

mod intricacy;
mod safe_html;

pub use safe_html::SafeHtml;
