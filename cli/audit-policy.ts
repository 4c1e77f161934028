import type { Command } from 'commander'
import { readFile } from 'node:fs/promises'
import { type LogPolicy, parseLogPolicy } from '../gateway/audit/verify/log-policy.ts'
import { POLICY_NAME } from '../gateway/audit/verify/layout.ts'
import { readText } from '../gateway/audit/verify/log-source.ts'
import type { ExportFolder } from './export-folder.ts'

/** The exit code if nothing can be verified. */
export const CANNOT_VERIFY = 2

/** The policy of a file, or the one that the export brings. */
export async function policyOf(folder: ExportFolder | undefined, file: string | undefined, command: Command): Promise<LogPolicy> {
  const text = file === undefined ? folder && (await readText(folder, POLICY_NAME)) : await fileText(file, command)
  if (text === undefined) return command.error('error: specify --policy', { exitCode: CANNOT_VERIFY })
  const read = parseLogPolicy(text)
  if (read.outcome === 'READ') return read.policy
  return command.error(`error: the policy has a fault in line ${read.line}: ${read.reason}`, { exitCode: CANNOT_VERIFY })
}

/** The text of a file that the caller named. Ends the command if it cannot be read. */
export async function fileText(file: string, command: Command): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch {
    return command.error('error: a file cannot be read', { exitCode: CANNOT_VERIFY })
  }
}
