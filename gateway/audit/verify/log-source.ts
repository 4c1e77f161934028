/** The objects of one log: the files of an export, or the objects of a tenant. Names are those of `layout.ts`. */
export interface LogSource {
  /** The names that begin with `prefix`, in any order. */
  names(prefix: string): AsyncIterable<string>
  /** The bytes of a small object, or undefined if there is none. */
  read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** The bytes of a segment, as they are read; undefined if there is none. */
  open(name: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>
}

export async function sortedNames(source: LogSource, prefix: string): Promise<string[]> {
  const names: string[] = []
  for await (const name of source.names(prefix)) names.push(name)
  return names.sort()
}

/** The text of a small object. Bytes that are no UTF-8 become U+FFFD, which no signature covers. */
export async function readText(source: LogSource, name: string): Promise<string | undefined> {
  const bytes = await source.read(name)
  return bytes && new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}
