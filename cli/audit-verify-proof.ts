import type { Command } from 'commander'
import { readFile } from 'node:fs/promises'
import { verifyProof } from '../gateway/audit/verify/tlog-proof.ts'
import { counted } from '../gateway/model/counted.ts'
import { fileText, policyOf } from './audit-policy.ts'
import { printLine } from './terminal.ts'

export interface VerifyProofFlags {
  readonly policy: string
  readonly json?: true
}

/** The exit code if a proof does not hold. */
const REFUSED = 1

/** Verifies each proof with the item beside it, and prints a line for each. */
export async function verifyProofs(
  files: readonly string[],
  { policy: file, json }: VerifyProofFlags,
  command: Command,
): Promise<void> {
  const policy = await policyOf(undefined, file, command)
  for (const proof of files) {
    const verdict = await verifyProof(fileText(proof, '<proof>'), await text(proof.replace(/\.tlog-proof$/, '.item.json')), policy)
    if (verdict.outcome === 'REFUSED') process.exitCode = REFUSED
    printLine(json === true ? JSON.stringify({ proof, ...verdict }) : verdictLine(proof, verdict))
  }
}

async function text(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '')
}

function verdictLine(proof: string, verdict: Awaited<ReturnType<typeof verifyProof>>): string {
  if (verdict.outcome === 'REFUSED') return `${proof}: refused, ${verdict.reason}`
  const { records, item, checkpoint, cosignatures } = verdict
  const sealed = new Date(checkpoint.time * 1_000).toISOString()
  const witnesses = new Set(cosignatures.map(({ witness }) => witness)).size
  return `${proof}: ${counted(records.length, 'field record')}, item ${item.lane}/${item.sequence} of ${checkpoint.origin}, sealed by ${sealed}, ${counted(witnesses, 'witness', 'witnesses')}`
}
