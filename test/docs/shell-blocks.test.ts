import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const ROOT = new URL('../../', import.meta.url)
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'examples/dental/README.md',
  ...readdirSync(new URL('docs/', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const BLOCK = /^ *```(\w*)\n([\s\S]*?)^ *```$/gm
const SHELLS = ['sh', 'bash', 'shell', 'zsh', 'console']
/** A block without a language has commands if a line begins with one. */
const COMMAND = /^ *(?:[A-Z_]+=\S+ )*(?:npm|npx|node|phi|curl|git|docker|cd|export) /m

const shellBlocks = (text: string): string[] =>
  [...text.matchAll(BLOCK)].flatMap(([, language = '', block = '']) =>
    SHELLS.includes(language) || (language === '' && COMMAND.test(block)) ? [block] : [],
  )

/** The parts of a text outside of quotes, with a space for each quoted part. A `$( )` within double quotes is read, too. */
function unquoted(text: string): string {
  let plain = ''
  const within: ('"' | '(')[] = []
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    const isDouble = within.at(-1) === '"'
    if (character === '\\') at++
    else if (character === "'" && !isDouble) {
      at = text.indexOf("'", at + 1)
      if (at === -1) return plain
      plain += 'q'
    } else if (character === '"') {
      if (isDouble) within.pop()
      else within.push('"')
      plain += 'q'
    } else if (text.startsWith('$(', at)) {
      within.push('(')
      at++
      plain += ' '
    } else if (character === ')' && within.at(-1) === '(') within.pop()
    else if (!isDouble) plain += character
  }
  return plain
}

/**
 * The faults of a block that a reader pastes into an interactive zsh: there, `#` begins no comment, a word with `?`, `*` or `[` that matches
 * no file stops the command, and `!` names a former command.
 */
function faultsOf(block: string): string[] {
  return unquoted(block)
    .split('\n')
    .flatMap((line) => [
      ...(/(?:^|\s)#/.test(line) ? [`comment: ${line}`] : []),
      ...(/[?*]|(?<![$\w])\[(?! )|\w\[/.test(line.replaceAll(/\$\?|\$\*|\[\[?\s.*?\s\]\]?/g, '')) ? [`pattern: ${line}`] : []),
      ...(/!(?=[\w-])/.test(line) ? [`history: ${line}`] : []),
    ])
}

describe('shell blocks of documents', () => {
  it.each(DOCUMENTS)('can be pasted into zsh: %s', (document) => {
    const text = readFileSync(new URL(document, ROOT), 'utf8')
    expect(shellBlocks(text).flatMap(faultsOf)).toEqual([])
  })

  it('finds the blocks with and without a language', () => {
    expect(shellBlocks('```sh\na\n```\n```ts\nb\n```\n```\nnpm start\n```\n```\ntext\n```\n')).toEqual(['a\n', 'npm start\n'])
  })

  it.each([
    ['npm start   # starts', 1],
    ['# starts', 1],
    ['phi import ./a --care-team-of Patient/*', 1],
    ["phi import ./a --care-team-of 'Patient/*'", 0],
    ['curl http://127.0.0.1:4000/graphql?query=a', 1],
    ['curl "http://127.0.0.1:4000/graphql?query=$(phi token a?)"', 1],
    ['echo "$(phi token "$1")" \'query ($id: ID!) { a[0] }\' # a', 1],
    ['PHI_SIEM=[1]', 1],
    ['!npm', 1],
    ['a="1#2"; b=a#c', 0],
    ['phi list \\\n  --all', 0],
  ])('the check itself: %s has %i faults', (block, count) => {
    expect(faultsOf(block)).toHaveLength(count)
  })
})
