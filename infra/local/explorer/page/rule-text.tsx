import type { ExplorerConfig } from '../explorer-config.ts'

interface RuleTextProps {
  readonly label: string
  /** `Patient.ssn#1` */
  readonly rule: string
  /** The rule as a sentence. */
  readonly grant?: string | null | undefined
  readonly rules: ExplorerConfig['rules']
}

/** A rule in words. Its line in the schema opens on request. */
export function RuleText({ label, rule, grant, rules }: RuleTextProps) {
  const written = rules[rule]
  return (
    <details className="rule">
      <summary>
        {label} <code>{rule}</code>
        {grant && `: ${grant}`}
      </summary>
      {written && (
        <>
          <code className="at">{written.at}</code>
          <pre>{written.sdl}</pre>
        </>
      )}
    </details>
  )
}
