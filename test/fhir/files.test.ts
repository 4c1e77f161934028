import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, gzipSync } from 'node:zlib'
import { strToU8, zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SourceValue, readValues } from '../../fhir/files.ts'
import { sourceRoots } from '../../fhir/source-files.ts'

let home = ''
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'phi-files-'))
})
afterAll(() => rm(home, { recursive: true }))

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(home, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, content)
  return path
}

interface Read {
  readonly name?: string
  readonly line?: number
  readonly value?: unknown
  readonly reason?: string
  readonly passedOver?: string
}

const filesOf = async (...paths: string[]) => (await sourceRoots(paths)).flatMap(({ files }) => files)

async function read(...paths: string[]): Promise<Read[]> {
  const all: SourceValue[] = []
  for await (const one of readValues(await filesOf(...paths))) all.push(one)
  const shown = ['name', 'line', 'value', 'reason', 'passedOver']
  return all.map((one): Read => Object.fromEntries(Object.entries(one).filter(([key]) => shown.includes(key))))
}

describe('the files of an import', () => {
  it('reads JSON with or without a byte order mark, packed or not', async () => {
    const plain = await file('a.json', '\ufeff{"a":1}')
    const packed = await file('b.json.gz', gzipSync('{"b":2}'))
    const zip = await file(
      'c.zip',
      zipSync({ 'x/1.json': strToU8('{"c":3}'), 'LICENSE.txt': strToU8('free'), '2.json': [strToU8('{"c":4}'), { level: 0 }] }),
    )
    expect(await read(plain, packed, zip)).toEqual([
      { name: 'a.json', value: { a: 1 } },
      { name: 'b.json.gz', value: { b: 2 } },
      { name: 'c.zip/x/1.json', value: { c: 3 } },
      { name: 'c.zip/LICENSE.txt', passedOver: '.txt' },
      { name: 'c.zip/2.json', value: { c: 4 } },
    ])
  })

  it('walks a directory in order, ignores other files and follows no links', async () => {
    await file('dir/b/2.json', '2')
    await file('dir/a.json', '1')
    await file('dir/README.md', 'no')
    await symlink(await file('outside.json', 'secret'), join(home, 'dir', 'link.json'))
    expect(await read(join(home, 'dir'))).toEqual([
      { name: 'a.json', value: 1 },
      { name: 'b/2.json', value: 2 },
    ])
  })

  it('reports its progress up to the total', async () => {
    const paths = [await file('d1.json', '12345'), await file('d2.json', '123')]
    const done: number[] = []
    for await (const { doneBytes } of readValues(await filesOf(...paths))) done.push(doneBytes)
    expect(done).toEqual([5, 8])
  })
})

describe('a bad file is reported, and the next one is read', () => {
  // Stored without compression: a flipped bit leaves valid text, and only the checksum shows the damage.
  const good = zipSync({ '1.json': [strToU8('{"value":61}'), { level: 0 }], '2.json': [strToU8('{"fine":true}'), { level: 0 }] })

  /** The archive with a flipped bit: 61 becomes 71. */
  function flipped(): Uint8Array {
    const bad = Buffer.from(good)
    bad.write('71', bad.indexOf('61}'))
    return bad
  }

  it.each([
    ['missing.json', undefined, 'cannot be opened'],
    ['cut.gz', gzipSync('x'.repeat(9999)).subarray(0, 30), 'cannot be read'],
    ['cut.zip', good.subarray(0, good.length - 40), 'is a damaged archive'],
    ['latin1.json', Uint8Array.of(0x7b, 0xe9, 0x7d), 'is not UTF-8 or UTF-16 text'],
  ])('%s', async (name, content, reason) => {
    const path = content === undefined ? join(home, name) : await file(name, content)
    expect(await read(path, await file('next.json', '{}'))).toEqual([
      { name, reason },
      { name: 'next.json', value: {} },
    ])
  })

  it('an empty file is not JSON', async () => {
    expect(await read(await file('empty.json', ''))).toEqual([{ name: 'empty.json', reason: 'is not JSON' }])
  })

  it('a flipped bit in an archive fails only its member', async () => {
    expect(await read(await file('flipped.zip', flipped()))).toEqual([
      { name: 'flipped.zip/1.json', reason: 'is a damaged archive' },
      { name: 'flipped.zip/2.json', value: { fine: true } },
    ])
  })

  it('a member that unpacks beyond its declared size stops there', async () => {
    const bomb = Buffer.from(zipSync({ '1.json': new Uint8Array(5_000_000) }))
    const directory = bomb.readUInt32LE(bomb.length - 22 + 16)
    bomb.writeUInt32LE(1000, directory + 24)
    expect(await read(await file('liar.zip', bomb))).toEqual([{ name: 'liar.zip/1.json', reason: 'is a damaged archive' }])
  })

  it('a member with a declared size above its content is not taken', async () => {
    const liar = Buffer.from(zipSync({ '1.json': strToU8('{"value":61}'), '2.json': strToU8('{}') }))
    liar.writeUInt32LE(0xf0000000, liar.readUInt32LE(liar.length - 22 + 16) + 24)
    expect(await read(await file('large.zip', liar))).toEqual([
      { name: 'large.zip/1.json', reason: 'is a damaged archive' },
      { name: 'large.zip/2.json', value: {} },
    ])
  })

  it.each([
    ['bomb.gz', gzipSync(Buffer.alloc(3_000_000))],
    ['bomb.json', Buffer.alloc(3_000_000, ' ')],
  ])('%s beyond the limit stops at the limit', async (name, content) => {
    const files = await filesOf(await file(name, content))
    for await (const one of readValues(files, 0, 1_000_000)) expect(one).toMatchObject({ name, reason: 'is too large unpacked' })
  })
})

describe('NDJSON', () => {
  const lines = '{"n":1}\n\n{"n":2}\r\n  \n{"n":3}'
  const values = [1, 2, 3].map((n, index) => ({ line: [1, 3, 5][index], value: { n } }))
  const of = (name: string) => values.map((one) => ({ name, ...one }))

  it('is read line by line, with empty lines, packed or not, whatever its ending', async () => {
    const plain = await file('n/a.ndjson', lines)
    const packed = await file('n/b.ndjson.gz', gzipSync(lines))
    const misnamed = await file('n/c.json', lines)
    const zip = await file('n/d.zip', zipSync({ 'e.ndjson': strToU8(lines), 'f.ndjson.gz': gzipSync(lines) }))
    expect(await read(plain, packed, misnamed, zip)).toEqual(
      ['a.ndjson', 'b.ndjson.gz', 'c.json', 'd.zip/e.ndjson', 'd.zip/f.ndjson.gz'].flatMap(of),
    )
  })

  it('can be one line, and a file of that ending can be one value', async () => {
    expect(await read(await file('one.ndjson', '{"n":1}\n'))).toEqual([{ name: 'one.ndjson', line: 1, value: { n: 1 } }])
    expect(await read(await file('one.json', '{"n":1}\n'))).toEqual([{ name: 'one.json', value: { n: 1 } }])
    expect(await read(await file('pretty.ndjson', '{\n "n": 1\n}\n'))).toEqual([{ name: 'pretty.ndjson', value: { n: 1 } }])
    expect(await read(await file('none.ndjson', ' \n'))).toEqual([])
  })

  it('reports a line that is not JSON, and reads the next one', async () => {
    expect(await read(await file('bad.ndjson', '{"n":1\n{"n":2}\n{"n"'))).toEqual([
      { name: 'bad.ndjson', line: 1, reason: 'is not JSON' },
      { name: 'bad.ndjson', line: 2, value: { n: 2 } },
      { name: 'bad.ndjson', line: 3, reason: 'is not JSON' },
    ])
  })

  it('of a damaged archive gives no line', async () => {
    const bad = Buffer.from(zipSync({ '1.ndjson': [strToU8('{"value":61}\n{"value":1}'), { level: 0 }] }))
    bad.write('71', bad.indexOf('61}'))
    expect(await read(await file('damaged.zip', bad))).toEqual([{ name: 'damaged.zip/1.ndjson', reason: 'is a damaged archive' }])
    const cut = gzipSync(`{"value":61}\n`.repeat(9)).subarray(0, -6)
    expect(await read(await file('cut.ndjson.gz', cut))).toEqual([{ name: 'cut.ndjson.gz', reason: 'cannot be read' }])
  })

  it('needs memory for one line only', async () => {
    const files = await filesOf(await file('long.ndjson', `{"n":"${'x'.repeat(600)}"}\n`.repeat(9)))
    const found: SourceValue[] = []
    for await (const one of readValues(files, 0, 1000)) found.push(one)
    expect(found.filter((one) => 'value' in one)).toHaveLength(9)
  })
})

describe('texts of the world', () => {
  const json = '{"name":"Zoë"}'
  it.each([
    ['UTF-8', Buffer.from(json)],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${json}`)],
    ['UTF-16 with a mark', Buffer.from(`\ufeff${json}`, 'utf16le')],
    ['UTF-16 without a mark', Buffer.from(json, 'utf16le')],
    ['UTF-16 of the other order', Buffer.from(`\ufeff${json}`, 'utf16le').swap16()],
    ['UTF-16 of the other order without a mark', Buffer.from(json, 'utf16le').swap16()],
    ['CRLF', Buffer.from('{\r\n"name":\r\n"Zoë"}\r\n')],
  ])('%s is read', async (name, content) => {
    expect(await read(await file(`${name}.json`, content))).toEqual([{ name: `${name}.json`, value: { name: 'Zoë' } }])
  })

  it.each([
    ['UTF-32', Buffer.from('\ufeff{}', 'utf16le').toString('latin1').replace(/(..)/gs, '$1\0\0'), 'is not UTF-8 or UTF-16 text'],
    ['half a character', Buffer.from('{"a":"ë').subarray(0, -1).toString('latin1'), 'is not UTF-8 or UTF-16 text'],
    ['XML', '\n<Bundle xmlns="http://hl7.org/fhir"/>', 'is XML, which is not read'],
    ['HL7 v2', 'MSH|^~\\&|A', 'is a message of HL7 version 2, which is not read'],
  ])('%s is refused with the reason', async (name, content, reason) => {
    expect(await read(await file(`${name}.json`, Buffer.from(content, 'latin1')))).toEqual([{ name: `${name}.json`, reason }])
  })
})

describe('a folder', () => {
  it('counts the files that are not read, by a kind that is no part of a name', async () => {
    for (const name of ['a.json', 'b.XML', 'c.JSON.txt', 'Ada.Byron', 'd/e.xml', '._a.json']) await file(`mixed/${name}`, '{}')
    const [root] = await sourceRoots([join(home, 'mixed')])
    expect(root?.files.map(({ name }) => name)).toEqual(['a.json'])
    expect(Object.fromEntries(root?.passedOver ?? [])).toEqual({ '.xml': 2, '.txt': 1, other: 2 })
  })

  it('an archive with nothing to read, and an archive within an archive, are faults', async () => {
    const inner = zipSync({ '1.json': strToU8('{}') })
    expect(
      await read(await file('x.zip', zipSync({ 'a.xml': strToU8('<a/>') })), await file('y.zip', zipSync({ 'b.zip': inner }))),
    ).toEqual([
      { name: 'x.zip/a.xml', passedOver: '.xml' },
      { name: 'x.zip', reason: 'holds nothing that is read' },
      { name: 'y.zip/b.zip', reason: 'is an archive within an archive, which is not read' },
    ])
  })

  it('reads a zip64 archive', async () => {
    expect(await read(await file('big.zip', zip64('1.json', '{"n":1}')))).toEqual([{ name: 'big.zip/1.json', value: { n: 1 } }])
  })

  it('refuses an encrypted member, and reads the next one', async () => {
    const zip = Buffer.from(zipSync({ '1.json': strToU8('{"n":1}'), '2.json': strToU8('{"n":2}') }))
    const directory = zip.readUInt32LE(zip.length - 22 + 16)
    zip.writeUInt16LE(zip.readUInt16LE(directory + 8) | 1, directory + 8)
    expect(await read(await file('secret.zip', zip))).toEqual([
      { name: 'secret.zip/1.json', reason: 'is an archive in a form that is not read' },
      { name: 'secret.zip/2.json', value: { n: 2 } },
    ])
  })
})

/** A small archive in the form of large ones: sizes and offsets in 64 bits. @source PKWARE APPNOTE 6.3, section 4.3.14 */
function zip64(name: string, content: string): Buffer {
  const bytes = Buffer.from(content)
  const local = Buffer.alloc(30 + name.length)
  local.writeUInt32LE(0x04034b50, 0)
  local.writeUInt16LE(45, 4)
  local.writeUInt32LE(crc32(bytes), 14)
  local.writeUInt32LE(bytes.length, 18)
  local.writeUInt32LE(bytes.length, 22)
  local.writeUInt16LE(name.length, 26)
  local.write(name, 30)
  const entry = Buffer.alloc(46 + name.length + 28)
  entry.writeUInt32LE(0x02014b50, 0)
  entry.writeUInt16LE(45, 4)
  entry.writeUInt16LE(45, 6)
  entry.writeUInt32LE(crc32(bytes), 16)
  entry.writeUInt32LE(0xffffffff, 20)
  entry.writeUInt32LE(0xffffffff, 24)
  entry.writeUInt16LE(name.length, 28)
  entry.writeUInt16LE(28, 30)
  entry.writeUInt32LE(0xffffffff, 42)
  entry.write(name, 46)
  const extra = entry.subarray(46 + name.length)
  extra.writeUInt16LE(1, 0)
  extra.writeUInt16LE(24, 2)
  extra.writeBigUInt64LE(BigInt(bytes.length), 4)
  extra.writeBigUInt64LE(BigInt(bytes.length), 12)
  const at = local.length + bytes.length
  const end64 = Buffer.alloc(56)
  end64.writeUInt32LE(0x06064b50, 0)
  end64.writeBigUInt64LE(44n, 4)
  end64.writeUInt16LE(45, 12)
  end64.writeUInt16LE(45, 14)
  end64.writeBigUInt64LE(1n, 24)
  end64.writeBigUInt64LE(1n, 32)
  end64.writeBigUInt64LE(BigInt(entry.length), 40)
  end64.writeBigUInt64LE(BigInt(at), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50, 0)
  locator.writeBigUInt64LE(BigInt(at + entry.length), 8)
  locator.writeUInt32LE(1, 16)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(0xffff, 8)
  end.writeUInt16LE(0xffff, 10)
  end.writeUInt32LE(0xffffffff, 12)
  end.writeUInt32LE(0xffffffff, 16)
  return Buffer.concat([local, bytes, entry, end64, locator, end])
}
