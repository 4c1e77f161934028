import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checkProof, type ProofVerdict } from './proof-checker.ts'
import { inclusionPath, proofText, signatureLine, type SignedTree, testSigner, treeHash, treeText } from './proof-maker.ts'
import { ED25519, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE } from './trust-policy.ts'

const ORIGIN = 'phi.example.com/audit/riverside'
const LOG = testSigner(ORIGIN, ED25519_COSIGNATURE)
const LOG_ML_DSA = testSigner(ORIGIN, ML_DSA_44_COSIGNATURE)
const PLAIN_LOG = testSigner(ORIGIN, ED25519)
const OTHER_LOG = testSigner('phi.example.com/audit/lakeside', ED25519_COSIGNATURE)
const W1 = testSigner('w1.example.org', ED25519_COSIGNATURE)
/** Signed by noble; the others by OpenSSL. */
const W2 = testSigner('w2.example.net', ML_DSA_44_COSIGNATURE, Buffer.alloc(32, 7))
const W3 = testSigner('w3.example.net', ML_DSA_44_COSIGNATURE)

const WITNESSES = `witness a ${W1.text}\nwitness b ${W2.text} https://w2.example.net/\nwitness c ${W3.text}\n`
const POLICY = `# logs\nlog ${LOG.text}\n\nlog\t${LOG_ML_DSA.text}  https://log.example\n${WITNESSES}group two 2 a b c\nquorum two\n`

const entriesOf = (size: number): Buffer[] =>
  Array.from({ length: size }, (_, at) => createHash('sha256').update(String(at)).digest())
const ENTRIES = entriesOf(7)
const TREE: SignedTree = { origin: ORIGIN, size: 7, root: treeHash(ENTRIES) }
const SIGNED = [LOG, LOG_ML_DSA, W1, W2, W3]
const noteOf = (tree: SignedTree, lines: readonly string[]): string => `${treeText(tree)}\n${lines.join('')}`
const NOTE = noteOf(
  TREE,
  SIGNED.map(({ line }) => line(TREE)),
)
const PROOF = proofText(4, inclusionPath(4, ENTRIES), NOTE)

const check = (proof: string | Buffer, { entry = ENTRIES[4] ?? Buffer.of(), policy = POLICY } = {}): ProofVerdict =>
  checkProof({ proof: Buffer.from(proof), entry, policy: Buffer.from(policy) })
const reasonOf = (verdict: ProofVerdict): string => (verdict.accepted ? 'accepted' : verdict.reason)
const withNote = (note: string): string => proofText(4, inclusionPath(4, ENTRIES), note)
/** A signature line of a key with one bit of its last byte changed. */
function flipped(line: string, at = -1): string {
  const [, name = '', encoded = ''] = line.trimEnd().split(' ')
  const bytes = Buffer.from(encoded, 'base64')
  const place = at < 0 ? bytes.length + at : at
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place)
  return signatureLine(name, bytes.toString('hex', 0, 4), bytes.subarray(4))
}

describe('P7: a checker that shares no code with the verifier accepts valid proofs', () => {
  it('P7: accepts a proof, and names its log, place and witnesses', () => {
    expect(check(PROOF)).toEqual({ accepted: true, origin: ORIGIN, index: 4n, size: 7n, witnesses: ['a', 'b', 'c'] })
  })

  it('P7: accepts each position of each tree of up to 33 entries, by the definitions of RFC 6962', () => {
    const policy = `log ${LOG.text}\nquorum none\n`
    for (let size = 1; size <= 33; size++) {
      const entries = entriesOf(size)
      const tree = { origin: ORIGIN, size, root: treeHash(entries) }
      const note = noteOf(tree, [LOG.line(tree)])
      for (const [index, entry] of entries.entries())
        expect(reasonOf(check(proofText(index, inclusionPath(index, entries), note), { entry, policy }))).toBe('accepted')
    }
  })

  it.each<[string, string]>([
    ['extra data', proofText(4, inclusionPath(4, ENTRIES), NOTE, 'YWJj')],
    ['a signature of an unknown key', withNote(`${NOTE}${testSigner('x.example', ED25519_COSIGNATURE).line(TREE)}`)],
    ['an unknown key with the name of a known one', withNote(`${NOTE}${testSigner(W1.name, ED25519_COSIGNATURE).line(TREE)}`)],
    ['one key of the log', withNote(noteOf(TREE, [LOG_ML_DSA.line(TREE), W1.line(TREE), W2.line(TREE)]))],
    ['a quorum without one of three witnesses', withNote(noteOf(TREE, [LOG.line(TREE), W3.line(TREE), W1.line(TREE)]))],
  ])('P7: accepts %s', (_, proof) => {
    expect(reasonOf(check(proof))).toBe('accepted')
  })

  it('P7: accepts extension lines and a plain signature of the log, as the specification allows', () => {
    const tree = { ...TREE, extension: 'an extension\n' }
    const note = noteOf(tree, [PLAIN_LOG.line(tree), W1.line(tree), W2.line(tree)])
    expect(reasonOf(check(withNote(note), { policy: POLICY.replace(LOG.text, PLAIN_LOG.text) }))).toBe('accepted')
  })
})

describe('P7: a checker that shares no code with the verifier refuses everything else', () => {
  const others = SIGNED.map(({ line }) => line(TREE))
  const [log = '', logMlDsa = '', w1 = '', w2 = ''] = others
  const moved = { ...TREE, root: treeHash(entriesOf(8)) }

  it.each<[string, string, string]>([
    ['no header', PROOF.replace('@v1', '@v2'), 'PROOF'],
    ['no index', PROOF.replace('index 4\n', ''), 'PROOF'],
    ['an index with a leading zero', PROOF.replace('index 4', 'index 04'), 'PROOF'],
    ['an index with a sign', PROOF.replace('index 4', 'index +4'), 'PROOF'],
    ['extra data that is no base64', proofText(4, inclusionPath(4, ENTRIES), NOTE, '!'), 'PROOF'],
    ['extra data after the index', PROOF.replace('index 4\n', 'index 4\nextra YWJj\n'), 'PROOF'],
    ['a hash of 31 bytes', proofText(4, [Buffer.alloc(31), ...inclusionPath(4, ENTRIES).slice(1)], NOTE), 'PROOF'],
    ['base64 with bits that are not used', PROOF.replace(/(index 4\n.{42}).=/, '$1B='), 'PROOF'],
    ['carriage returns', PROOF.replaceAll('\n', '\r\n'), 'PROOF'],
    ['no checkpoint', proofText(4, inclusionPath(4, ENTRIES), ''), 'CHECKPOINT'],
    ['a checkpoint without signatures', withNote(`${treeText(TREE)}\n`), 'CHECKPOINT'],
    ['a size with a leading zero', withNote(NOTE.replace('\n7\n', '\n07\n')), 'CHECKPOINT'],
    ['a root of 31 bytes', withNote(NOTE.replace(TREE.root.toString('base64'), Buffer.alloc(31).toString('base64'))), 'CHECKPOINT'],
    ['a control character', withNote(NOTE.replace(ORIGIN, `${ORIGIN}\t`)), 'CHECKPOINT'],
    ['a hyphen for the dash', withNote(NOTE.replace('\u2014', '-')), 'CHECKPOINT'],
    ['no newline at the end', PROOF.slice(0, -1), 'CHECKPOINT'],
    ['another size', withNote(NOTE.replace('\n7\n', '\n8\n')), 'SIGNATURE'],
    ['another root', withNote(NOTE.replace(TREE.root.toString('base64'), moved.root.toString('base64'))), 'SIGNATURE'],
    ['another origin', withNote(NOTE.replace(`${ORIGIN}\n`, `${OTHER_LOG.name}\n`)), 'SIGNATURE'],
    ['a damaged Ed25519 signature', withNote(noteOf(TREE, [flipped(log), logMlDsa, w1, w2])), 'SIGNATURE'],
    ['a damaged ML-DSA-44 signature', withNote(noteOf(TREE, [log, flipped(logMlDsa), w1, w2])), 'SIGNATURE'],
    ['a damaged signature of a witness', withNote(noteOf(TREE, [log, logMlDsa, flipped(w1), w2])), 'SIGNATURE'],
    ['another time of an Ed25519 signature', withNote(noteOf(TREE, [flipped(log, 11), logMlDsa, w1, w2])), 'SIGNATURE'],
    ['another time of an ML-DSA-44 signature', withNote(noteOf(TREE, [log, logMlDsa, w1, flipped(w2, 11)])), 'SIGNATURE'],
    ['a time above 2^63', withNote(noteOf(TREE, [log, logMlDsa, w1, W2.line(TREE, 2n ** 63n)])), 'SIGNATURE'],
    [
      'a signature cut short',
      withNote(noteOf(TREE, [log, logMlDsa, signatureLine(W1.name, W1.text.split('+')[1] ?? '', Buffer.alloc(3)), w2])),
      'SIGNATURE',
    ],
    ['no signature of the log', withNote(noteOf(TREE, [w1, w2])), 'LOG'],
    ['one of two witnesses', withNote(noteOf(TREE, [log, logMlDsa, w1])), 'QUORUM'],
    ['one witness twice', withNote(noteOf(TREE, [log, logMlDsa, w1, w1])), 'QUORUM'],
    ['another index', PROOF.replace('index 4', 'index 5'), 'INCLUSION'],
    ['an index beyond the tree', PROOF.replace('index 4', 'index 7'), 'INCLUSION'],
    ['one hash less', proofText(4, inclusionPath(4, ENTRIES).slice(0, -1), NOTE), 'INCLUSION'],
    ['one hash more', proofText(4, [...inclusionPath(4, ENTRIES), TREE.root], NOTE), 'INCLUSION'],
    ['hashes in another order', proofText(4, inclusionPath(4, ENTRIES).toReversed(), NOTE), 'INCLUSION'],
  ])('P7: refuses %s', (_, proof, reason) => {
    expect(reasonOf(check(proof))).toBe(reason)
  })

  it('P7: refuses text that is not UTF-8', () => {
    expect(reasonOf(check(Buffer.concat([Buffer.from(PROOF), Buffer.of(0xff)])))).toBe('PROOF')
  })

  it('P7: refuses another entry, and a node that is presented as an entry', () => {
    expect(reasonOf(check(PROOF, { entry: ENTRIES[5] ?? Buffer.of() }))).toBe('INCLUSION')
    const node = Buffer.concat(ENTRIES.slice(4, 6).map((entry) => treeHash([entry])))
    expect(reasonOf(check(proofText(2, inclusionPath(4, ENTRIES).slice(1), NOTE), { entry: node }))).toBe('INCLUSION')
  })

  it('P7: refuses a log key of another origin', () => {
    const note = noteOf(TREE, [OTHER_LOG.line(TREE), w1, w2])
    expect(reasonOf(check(withNote(note), { policy: `log ${OTHER_LOG.text}\n${WITNESSES}quorum none\n` }))).toBe('LOG')
  })

  it.each<[string, string]>([
    ['no quorum', POLICY.replace(/quorum.*\n/, '')],
    ['two quorums', `${POLICY}quorum none\n`],
    ['a quorum that is not defined', POLICY.replace('quorum two', 'quorum three')],
    ['a quorum before its group', `quorum two\n${POLICY.replace(/quorum.*\n/, '')}`],
    ['an unknown line', `${POLICY}mirror x\n`],
    ['a name that is defined twice', POLICY.replace('witness b', 'witness a')],
    ['the name none', POLICY.replace('witness a', 'witness none')],
    ['a member of two groups', POLICY.replace('quorum two', 'group more 1 a\nquorum two')],
    ['a threshold above the members', POLICY.replace('two 2', 'two 4')],
    ['a threshold of 0', POLICY.replace('two 2', 'two 0')],
    ['a group without members', POLICY.replace('quorum', 'group nobody all\nquorum')],
    ['a duplicate log key', `log ${LOG.text}\n${POLICY}`],
    [
      'a duplicate key of another name',
      POLICY.replace(
        'quorum',
        `witness d ${testSigner('w4.example.net', ML_DSA_44_COSIGNATURE, Buffer.alloc(32, 7)).text}\nquorum`,
      ),
    ],
    ['a plain key of a witness', POLICY.replace('quorum', `witness d ${testSigner('w4', ED25519).text}\nquorum`)],
    ['another key id', POLICY.replace(/\+[\da-f]{8}\+/, '+00000000+')],
    ['a key of another length', POLICY.replace(LOG.text, LOG.text.slice(0, -4))],
    ['a carriage return', POLICY.replaceAll('\n', '\r\n')],
    ['no newline at the end', POLICY.slice(0, -1)],
  ])('P7: refuses a policy with %s', (_, policy) => {
    expect(reasonOf(check(PROOF, { policy }))).toBe('POLICY')
  })
})
