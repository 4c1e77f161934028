/** An audit item has at most 400 KB in DynamoDB, and its line at most twice as much. */
const MAX_LINE = 1_048_576
/** The compressor wrote neither a name nor a time into the header. The last byte, the operating system, has one of these values. */
const HEADER = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0]
const SYSTEMS: ReadonlySet<number> = new Set([0x03, 0x0a, 0x13, 0xff])

/** A compressed text that is not as the notary writes it. */
export class MalformedText extends Error {
  override readonly name = 'MalformedText'
}

/**
 * The lines of a compressed text, without their newlines, in groups as they are decompressed. Memory does not grow with the text.
 *
 * @throws MalformedText for other bytes than gzip of UTF-8 with a fixed header, for an overlong line, and for a text without a last newline
 */
export async function* gzipLines(compressed: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest = ''
  try {
    const bytes = compressed.pipeThrough(headerCheck()).pipeThrough(new DecompressionStream('gzip'))
    for await (const chunk of bytes as ReadableStream<Uint8Array>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > MAX_LINE) throw new MalformedText('an overlong line')
      if (lines.length > 0) yield lines
    }
    rest += decoder.decode()
  } catch (cause) {
    // the messages of a decompressor differ between browsers
    throw cause instanceof MalformedText ? cause : new MalformedText('no gzip of UTF-8', { cause })
  }
  if (rest !== '') throw new MalformedText('no newline at the end')
}

function headerCheck(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let at = 0
  return new TransformStream({
    transform(chunk, controller) {
      for (const byte of chunk.subarray(0, Math.max(0, HEADER.length + 1 - at))) {
        const isExpected = at < HEADER.length ? byte === HEADER[at] : SYSTEMS.has(byte)
        if (!isExpected) throw new MalformedText('another gzip header')
        at++
      }
      controller.enqueue(chunk)
    },
  })
}
