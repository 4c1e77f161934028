// Texts of clients and schemas as parts of GitHub flavored Markdown.

/** @param rows cells of Markdown */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** A name as a code span, if it has only characters that mean nothing there and in a cell. */
export function code(name: string): string {
  return /^[A-Za-z0-9_.:#/+=()@-]+$/.test(name) ? `\`${name}\`` : text(name)
}

/** Text of one line without markup. Each punctuation character is escaped, which CommonMark allows for all of ASCII. */
export function text(raw: string): string {
  const line = visible(raw.replaceAll(/\s+/g, ' ').trim())
  // GitHub makes a link of a name that starts with www.
  return line.replaceAll(/[!"#$%&'*+/<=>?@[\\\]^_`{|}~]/g, '\\$&').replaceAll(/\bwww\./gi, (www) => `${www.slice(0, -1)}\\.`)
}

/** A body in a fence that is longer than any run of backticks in it. */
export function fenced(body: string): string {
  const longest = Math.max(2, ...[...body.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const lines = body.replaceAll('\r\n', '\n').split('\n').map(visible)
  return [`${fence}graphql`, ...lines, fence].join('\n')
}

/** Shows control and format characters as escapes: a character that reverses the text would show another operation. */
function visible(line: string): string {
  return line.replaceAll(/[\p{C}\u2028\u2029]/gu, (character) =>
    character === '\t' ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
}
