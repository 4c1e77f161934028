import { TextDecoder } from 'node:util'
import { FileRefused } from './file-refused.ts'

/**
 * Decodes a file as the byte order mark names it: UTF-8, UTF-16 in either order. Without a mark, a zero byte beside the first character
 * shows UTF-16, because JSON begins with an ASCII character.
 *
 * @throws FileRefused if the bytes are not such text
 * @source RFC 8259 section 8.1, RFC 4627 section 3
 */
export async function* decodedText(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let head = Buffer.alloc(0)
  let decoder: TextDecoder | undefined
  for await (const chunk of chunks) {
    if (decoder !== undefined) {
      yield decoded(decoder, chunk)
      continue
    }
    head = Buffer.concat([head, chunk])
    if (head.length < 4) continue
    decoder = decoderOf(head)
    yield decoded(decoder, head)
  }
  if (decoder === undefined) {
    decoder = decoderOf(head)
    yield decoded(decoder, head)
  }
  yield decoded(decoder)
}

function decoderOf(head: Buffer): TextDecoder {
  const [first, second] = head
  if (head.subarray(0, 4).equals(UTF_32)) throw new FileRefused('NOT_TEXT')
  if ((first === 0xff && second === 0xfe) || second === 0) return new TextDecoder('utf-16le', FATAL)
  if ((first === 0xfe && second === 0xff) || first === 0) return new TextDecoder('utf-16be', FATAL)
  return new TextDecoder('utf-8', FATAL)
}

const UTF_32 = Buffer.of(0xff, 0xfe, 0, 0)
const FATAL = { fatal: true }

/** @param chunk without one, the decoder ends: a character that lacks its rest is no text */
function decoded(decoder: TextDecoder, chunk?: Buffer): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
  } catch (cause) {
    throw new FileRefused('NOT_TEXT', { cause })
  }
}
