import type { Command } from 'commander'
import { type LogPolicy, parseLogPolicy } from '../gateway/audit/verify/log-policy.ts'
import { POLICY_NAME } from '../gateway/audit/verify/layout.ts'
import { readText } from '../gateway/audit/verify/log-source.ts'
import type { ExportFolder } from './export-folder.ts'
import { readInputText } from './files.ts'

/** The exit code if nothing can be verified. */
export const CANNOT_VERIFY = 2

/** The policy of a file, or the one that the export brings. */
export async function policyOf(folder: ExportFolder | undefined, file: string | undefined, command: Command): Promise<LogPolicy> {
  const text = file === undefined ? folder && (await readText(folder, POLICY_NAME)) : fileText(file, '--policy')
  if (text === undefined)
    return command.error('error: the folder has no policy of a log. Check its path, or name the policy with --policy.', {
      exitCode: CANNOT_VERIFY,
    })
  const read = parseLogPolicy(text)
  if (read.outcome === 'READ') return read.policy
  return command.error(`error: the policy has a fault in line ${read.line}: ${read.reason}`, { exitCode: CANNOT_VERIFY })
}

/** The text of a file that an option names. @throws Refused */
export const fileText = (file: string, option: string): string => readInputText(file, option, { exitCode: CANNOT_VERIFY })
