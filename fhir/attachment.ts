import { z } from 'zod'
import { MAX_TEXT_BYTES } from '../gateway/model/record-size.ts'
import { Text } from './datatypes.ts'
import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'
import { plainText } from './plain-text.ts'

/** @source https://hl7.org/fhir/R4/datatypes.html#Attachment */
export const Attachment = z.object({ contentType: Text.optional(), data: z.string().optional(), url: Text.optional() })
export type Attachment = z.output<typeof Attachment>

/** Whose text is in a code of its own, or for machines: shown as it is, it would not be read by anybody. */
const NOT_FOR_READERS: ReadonlySet<string> = new Set(['text/xml', 'text/rtf', 'text/richtext', 'text/calendar', 'text/vcard'])
const MARKUP: ReadonlySet<string> = new Set(['text/html', 'application/xhtml+xml'])

/** UTF-16 takes two bytes for what UTF-8 says in one, and base64 four characters for three bytes. */
const MAX_DATA_CHARACTERS = Math.ceil((2 * MAX_TEXT_BYTES * 4) / 3)
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const CHARSET = /;\s*charset\s*=\s*"?([A-Za-z0-9._:-]{1,40})"?/i

/**
 * The text of the first attachment that holds one: several are the same document in several forms. An attachment that only
 * says where its content is has none, and so has one that is not text.
 */
export function attachedText(where: string, attachments: readonly (Attachment | undefined)[]): string | MappingIssue | undefined {
  for (const attachment of attachments) {
    const { contentType, data } = attachment ?? {}
    if (contentType === undefined || data === undefined || data === '') continue
    const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
    if (!MARKUP.has(type) && (!type.startsWith('text/') || NOT_FOR_READERS.has(type))) continue
    const text = decoded(where, data, CHARSET.exec(contentType)?.[1] ?? 'utf-8')
    if (typeof text === 'object') return text
    const words = MARKUP.has(type) ? plainText(text) : text
    if (words.trim() !== '') return words
  }
  return undefined
}

function decoded(where: string, data: string, charset: string): string | MappingIssue {
  // a line break in every 76th character is how mail writes base64
  if (data.length > MAX_DATA_CHARACTERS * 1.1) return mappingIssue(where, ISSUES.text)
  const packed = data.replace(/\s+/g, '')
  if (packed.length > MAX_DATA_CHARACTERS + 4) return mappingIssue(where, ISSUES.text)
  if (packed.length % 4 !== 0 || !BASE64.test(packed)) return mappingIssue(where, ISSUES.base64)
  try {
    const text = new TextDecoder(charset, { fatal: true }).decode(Buffer.from(packed, 'base64'))
    return Buffer.byteLength(text) > MAX_TEXT_BYTES ? mappingIssue(where, ISSUES.text) : text
  } catch {
    // the decoder's own message names the charset, which is text of the input
    return mappingIssue(where, ISSUES.charset)
  }
}
