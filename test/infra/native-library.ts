import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The native files of the functions that have DuckDB. */
export const LIBRARY_FILES = ['duckdb.node', 'libduckdb.so']

const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1])
/** `e_machine` */
const PROCESSORS: Readonly<Record<number, string>> = { 0x3e: 'x64', 0xb7: 'arm64' }

/**
 * The processor of a library for Linux, as `process.arch` names it.
 *
 * @throws TypeError for any other content
 * @source System V ABI, ELF header
 */
export function processorOf(library: Buffer): string {
  const processor = library.subarray(0, ELF.length).equals(ELF) ? PROCESSORS[library.readUInt16LE(18)] : undefined
  if (processor === undefined) throw new TypeError('a library is ELF of a known processor')
  return processor
}

/** The folder of the library for this machine. */
export function ownLibrary(): URL {
  const bindings = createRequire(createRequire(import.meta.url).resolve('@duckdb/node-api'))
  const platform = `@duckdb/node-bindings-${process.platform}-${process.arch}/duckdb.node`
  return pathToFileURL(`${dirname(createRequire(bindings.resolve('@duckdb/node-bindings')).resolve(platform))}/`)
}
