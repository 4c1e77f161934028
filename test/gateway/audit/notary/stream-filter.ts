import { z } from 'zod'
import { readFragment } from '../../../../infra/local/tables.ts'
import type { StreamRecord } from '../../../../gateway/audit/notary/change-watch.ts'

const leaf = z.array(z.union([z.strictObject({ exists: z.literal(true) }), z.strictObject({ suffix: z.string() })]))
type Pattern = z.infer<typeof leaf> | { readonly [member: string]: Pattern }
const pattern: z.ZodType<Pattern> = z.lazy(() => z.union([leaf, z.record(z.string(), pattern)]))
const deployment = z.object({
  functions: z.object({
    auditChanges: z.object({ events: z.tuple([z.object({ stream: z.object({ filterPatterns: z.array(pattern) }) })]) }),
  }),
})

const patterns = deployment.parse(readFragment(new URL('../../../../serverless.yml', import.meta.url))).functions.auditChanges
  .events[0].stream.filterPatterns

/** Whether Lambda passes a record to the function, by the filters of the deployment. */
export const matches = (record: StreamRecord): boolean => patterns.some((one) => isMatch(one, record))

function isMatch(one: Pattern, value: unknown): boolean {
  if (!Array.isArray(one))
    return Object.entries(one).every(([name, inner]) => isMatch(inner, (value as Record<string, unknown> | undefined)?.[name]))
  return one.some((rule) => ('exists' in rule ? value !== undefined : typeof value === 'string' && value.endsWith(rule.suffix)))
}
