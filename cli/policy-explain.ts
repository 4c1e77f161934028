import { Command } from 'commander'
import type { ExplainOptions } from './policy-explain-run.ts'

/** `phi policy explain RULE` works offline. `phi policy explain --user U --query FILE [--patient ID]` needs the running stack. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('explain a rule, or the decisions on an operation for a demo user')
    .argument('[rule]', 'the rule: Patient.birthDate#2, or Patient#1 for a default of the type')
    .option('--user <user>', 'a demo user of the local stack: physician, billing, ...')
    .option('--query <file>', 'the file with the operation')
    .option('--patient <id>', 'the id of the patient in the operation')
    .option('--purpose <purpose>', 'the purpose of use to claim, for instance TREAT')
    .action(async (rule: string | undefined, options: ExplainOptions) => {
      const { printExplanation } = await import('./policy-explain-run.ts')
      await printExplanation(rule, options)
    })
}
