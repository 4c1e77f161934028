import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { strToU8, zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BundleFile, readBundles, sourceFiles } from '../../fhir/files.ts'

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

async function read(...paths: string[]): Promise<Partial<Record<'name' | 'text' | 'reason', string>>[]> {
  const all: BundleFile[] = []
  for await (const one of readBundles(await sourceFiles(paths))) all.push(one)
  return all.map(({ doneBytes: _, ...one }) => one)
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
      { name: 'a.json', text: '{"a":1}' },
      { name: 'b.json.gz', text: '{"b":2}' },
      { name: 'c.zip/x/1.json', text: '{"c":3}' },
      { name: 'c.zip/2.json', text: '{"c":4}' },
    ])
  })

  it('walks a directory in order, ignores other files and follows no links', async () => {
    await file('dir/b/2.json', '2')
    await file('dir/a.json', '1')
    await file('dir/README.md', 'no')
    await symlink(await file('outside.json', 'secret'), join(home, 'dir', 'link.json'))
    expect(await read(join(home, 'dir'))).toEqual([
      { name: 'a.json', text: '1' },
      { name: 'b/2.json', text: '2' },
    ])
  })

  it('reports its progress up to the total', async () => {
    const paths = [await file('d1.json', '12345'), await file('d2.json', '123')]
    const done: number[] = []
    for await (const { doneBytes } of readBundles(await sourceFiles(paths))) done.push(doneBytes)
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
    ['latin1.json', Uint8Array.of(0x7b, 0xe9, 0x7d), 'is not UTF-8 text'],
  ])('%s', async (name, content, reason) => {
    const path = content === undefined ? join(home, name) : await file(name, content)
    expect(await read(path, await file('next.json', '{}'))).toEqual([
      { name, reason },
      { name: 'next.json', text: '{}' },
    ])
  })

  it('an empty file is an empty text, which the JSON parser refuses', async () => {
    expect(await read(await file('empty.json', ''))).toEqual([{ name: 'empty.json', text: '' }])
  })

  it('a flipped bit in an archive fails only its member', async () => {
    expect(await read(await file('flipped.zip', flipped()))).toEqual([
      { name: 'flipped.zip/1.json', reason: 'is a damaged archive' },
      { name: 'flipped.zip/2.json', text: '{"fine":true}' },
    ])
  })

  it('a member that unpacks beyond its declared size stops there', async () => {
    const bomb = Buffer.from(zipSync({ '1.json': new Uint8Array(5_000_000) }))
    const directory = bomb.readUInt32LE(bomb.length - 22 + 16)
    bomb.writeUInt32LE(1000, directory + 24)
    expect(await read(await file('liar.zip', bomb))).toEqual([{ name: 'liar.zip/1.json', reason: 'is a damaged archive' }])
  })

  it('a member with a declared size above 200 MB is not unpacked', async () => {
    const bomb = Buffer.from(good)
    bomb.writeUInt32LE(0xf0000000, bomb.readUInt32LE(bomb.length - 22 + 16) + 24)
    expect((await read(await file('large.zip', bomb)))[0]).toEqual({
      name: 'large.zip/1.json',
      reason: 'is too large unpacked',
    })
  })

  it.each([
    ['bomb.gz', gzipSync(Buffer.alloc(3_000_000))],
    ['bomb.json', Buffer.alloc(3_000_000, ' ')],
  ])('%s beyond the limit stops at the limit', async (name, content) => {
    const files = await sourceFiles([await file(name, content)])
    for await (const one of readBundles(files, 1_000_000)) expect(one).toMatchObject({ name, reason: 'is too large unpacked' })
  })
})
