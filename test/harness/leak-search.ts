/** Searched output: a file, a log, or an answer. */
export interface Haystack {
  readonly name: string
  readonly bytes: Buffer
}

/**
 * Finds secrets in plain text, hex, base64 or URL form. A base64 text contains a secret in one of three alignments. The characters
 * at its ends mix with the neighbors and are left out.
 *
 * @returns `place: form of secret number n`, which names no secret; empty if there is none
 */
export function findLeaks(haystacks: readonly Haystack[], secrets: Iterable<string>): string[] {
  const found: string[] = []
  for (const [number, secret] of [...new Set(secrets)].entries()) {
    for (const [form, needle] of formsOf(secret)) {
      for (const { name, bytes } of haystacks) {
        if (bytes.includes(needle)) found.push(`${name}: ${form} of secret ${number}`)
      }
    }
  }
  return found
}

/** The forms of a text in common encodings. */
function formsOf(secret: string): Map<string, string> {
  const bytes = Buffer.from(secret, 'utf8')
  // shorter secrets would be found by chance
  if (bytes.length < 6) throw new RangeError('a secret to search for has at least 6 bytes')
  const forms = new Map([
    ['plain', secret],
    ['hex', bytes.toString('hex')],
    ['HEX', bytes.toString('hex').toUpperCase()],
    ['URL', encodeURIComponent(secret)],
  ])
  for (const shift of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes])
    const core = (text: string): string => text.slice(shift === 0 ? 0 : shift + 1, Math.floor((shifted.length * 8) / 6))
    forms.set(`base64+${shift}`, core(shifted.toString('base64')))
    forms.set(`base64url+${shift}`, core(shifted.toString('base64url')))
  }
  return forms
}

/** The common forms and the rarer ones: escapes of every character, other cases, two bytes for each character. */
export function allFormsOf(secret: string): Map<string, string> {
  const escaped = (prefix: string, digits: number): string =>
    [...Buffer.from(secret, 'utf8')].map((byte) => prefix + byte.toString(16).padStart(digits, '0')).join('')
  const wide = Buffer.from(secret, 'utf16le')
  return new Map([
    ...formsOf(secret),
    ['lower case', secret.toLowerCase()],
    ['UPPER CASE', secret.toUpperCase()],
    ['JSON', JSON.stringify(secret).slice(1, -1)],
    ['JSON escapes', escaped('\\u', 4)],
    ['percent', escaped('%', 2)],
    ['PERCENT', escaped('%', 2).toUpperCase()],
    // big endian begins with a zero, and every further zero precedes a character in both orders, so one search covers both
    ['UTF-16', wide.toString('latin1', 0, wide.length - 1)],
  ])
}
