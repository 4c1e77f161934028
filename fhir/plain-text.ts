const HIDDEN = /<(\/?)(script|style|head)\b[^<>]*>/gi
const LINE_ENDS = /<(?:br|\/p|\/div|\/tr|\/li|\/h[1-6]|\/table|\/ul|\/ol)\b[^<>]*>/gi
/** Neither bracket within: a text of nothing but brackets is passed once, not once for each of them. */
const TAG = /<[^<>]*>/g
const ENTITY = /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos|nbsp));/gi
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

/** The words of HTML or of a FHIR narrative, a line for each block, without markup. */
export function plainText(markup: string): string {
  return withoutHidden(markup)
    .replace(LINE_ENDS, '\n')
    .replace(TAG, ' ')
    .replace(ENTITY, (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return NAMED[name.toLowerCase()] ?? whole
      return character(decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)) ?? whole
    })
    .split('\n')
    .map((line) => line.replace(/[^\S\n]+/g, ' ').trim())
    .filter((line) => line !== '')
    .join('\n')
}

/** Cuts what a browser would not show. One pass, however many openings have no end. */
function withoutHidden(markup: string): string {
  const shown: string[] = []
  let from = 0
  let hiding: string | undefined
  for (const { 0: tag, 1: slash, 2: name, index } of markup.matchAll(HIDDEN)) {
    const element = name?.toLowerCase()
    if (hiding === undefined && slash === '') {
      shown.push(markup.slice(from, index))
      hiding = element
    } else if (slash === '/' && element === hiding) {
      from = index + tag.length
      hiding = undefined
    }
  }
  // what is opened and never closed hides the rest
  if (hiding === undefined) shown.push(markup.slice(from))
  return shown.join(' ')
}

function character(code: number): string | undefined {
  // half a surrogate pair is no character, and RFC 8785 knows no place for it
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined
  return String.fromCodePoint(code)
}
