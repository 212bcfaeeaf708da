/** Text from anywhere as part of a page. */

/** Text as HTML, for content and for attributes in either quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
