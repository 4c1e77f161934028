import { transformSync } from 'esbuild'
import { globSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const root = new URL('../../../', import.meta.url)

/** The code without types and comments. */
const compiled = (file: string): string =>
  transformSync(readFileSync(new URL(file, root), 'utf8'), { loader: 'ts', target: 'node24', legalComments: 'none' }).code

const filesIn = (...patterns: string[]): string[] => globSync(patterns, { cwd: root }).toSorted()
const SOURCES = filesIn('gateway/**/*.ts', 'functions/*.ts', 'cli/*.ts', 'fhir/*.ts', 'resolvers/*.ts', 'directives/*.ts')
const AUDIT = SOURCES.filter((file) => /^gateway\/(?:audit\/|open-notary|open-change-watch)/.test(file))

/** Operations and members of transactions that change or remove an item, a table or its time to live. */
const CHANGES =
  /\b(?:UpdateItem|DeleteItem|BatchWriteItem|ExecuteStatement|ExecuteTransaction|BatchExecuteStatement|UpdateTable|DeleteTable|UpdateTimeToLive)(?:Command|Input)?\b|\b(?:Update|Delete)\s*:/
/** The same for objects of a bucket. */
const REMOVALS =
  /\b(?:DeleteObjects?|PutObjectRetention|PutObjectLegalHold|PutBucketVersioning|PutObjectLockConfiguration)(?:Command)?\b/

describe('P7: no code changes or removes what the audit log holds', () => {
  it('P7: the code of the log has no statement that updates or deletes', () => {
    expect(AUDIT.length).toBeGreaterThan(40)
    expect(AUDIT.filter((file) => CHANGES.test(compiled(file)))).toEqual([])
  })

  it('P7: the expressions find such statements where the code has them', () => {
    expect(CHANGES.test(compiled('gateway/store/budgets.ts'))).toBe(true)
    expect(CHANGES.test('const write = { Delete: { TableName } }')).toBe(true)
    expect(REMOVALS.test('await client.send(new DeleteObjectCommand(input))')).toBe(true)
  })

  it('P7: only the code of the log gets the name of its tables', () => {
    const naming = SOURCES.filter((file) => /PHI_TABLE_(?:AUDIT|CHECKPOINTS)\b/.test(compiled(file)))
    expect(naming).toEqual([
      'gateway/audit/notary/checkpoint-table.ts',
      'gateway/compose.ts',
      'gateway/open-audit-api.ts',
      'gateway/open-audit-reader.ts',
      'gateway/open-notary.ts',
      'gateway/oversight/open-tenant-clients.ts',
    ])
    const opened = [...compiled('gateway/compose.ts').matchAll(/"PHI_TABLE_AUDIT",\s*\([^)]*\) => new (\w+)/g)].map(
      ([, name]) => name,
    )
    expect(opened).toEqual(['LaneLog', 'AuditHistory'])
  })

  it('P7: each put of an audit item has the condition that no item is there', () => {
    const puts = AUDIT.filter((file) => !file.includes('/notary/') && /\bPut\s*:|PutItemCommand/.test(compiled(file)))
    expect(puts).toEqual(['gateway/audit/transaction.ts'])
    const text = compiled('gateway/audit/transaction.ts')
    expect(text.match(/\bPut\s*:/g)).toHaveLength(1)
    expect(text).toContain('ConditionExpression: "attribute_not_exists(l)"')
  })

  it('P7: no code deletes an object, or changes its retention', () => {
    // The tables for questions are derived, and in a bucket of their own. The policy of readers allows the removal of a question's file there.
    expect(SOURCES.filter((file) => REMOVALS.test(compiled(file)))).toEqual([
      'gateway/oversight/reader-policy.ts',
      'gateway/store/s3-tables.ts',
    ])
  })
})
