import { useGraphiQL } from '@graphiql/react'
import { useEffect, useMemo, useState } from 'react'
import type { ExplorerConfig } from '../explorer-config.ts'
import { type GatewayAnswer, readAnswer } from './answer.ts'
import { AnswerSection } from './answer-section.tsx'
import { patientsOf } from './patients.ts'
import { type Explained, explain } from './plan.ts'
import { PlanSection } from './plan-section.tsx'
import type { Operation, Session } from './session.ts'

/** An operation that the user ran, and its answer. */
export interface Run {
  readonly operation: Operation
  readonly answer: unknown
}

interface PlanPaneProps {
  readonly config: ExplorerConfig
  readonly session: Session
  readonly run: Run | undefined
}

/** The access plan of the last run, and what its answer says of denied and masked values. */
export function PlanPane({ config, session, run }: PlanPaneProps) {
  const answer = useMemo(() => (run === undefined ? undefined : readAnswer(run.answer)), [run])
  return (
    <aside className="plan" aria-label="Access plan">
      <div className="title">
        <h2>Access plan</h2>
        {session.purpose !== undefined && (
          <p>
            {session.user.name} for {session.purpose}
          </p>
        )}
      </div>
      {run === undefined ? (
        <p className="note">
          Run an operation. This pane then lists every PHI field of the operation: granted, masked or denied, and the rule that
          decides.
        </p>
      ) : (
        <Results key={runNumber(run)} config={config} session={session} run={run} answer={answer} />
      )}
    </aside>
  )
}

const numbers = new WeakMap<Run, number>()
let lastNumber = 0

/** A key for each run, so that the choice of a patient ends with its run. */
function runNumber(run: Run): number {
  const number = numbers.get(run) ?? ++lastNumber
  numbers.set(run, number)
  return number
}

interface ResultsProps extends PlanPaneProps {
  readonly run: Run
  readonly answer: GatewayAnswer | undefined
}

function Results({ config, session, run, answer }: ResultsProps) {
  const schema = useGraphiQL((state) => state.schema)
  const { patientType } = config
  const patients = useMemo(
    () => (schema && patientType !== undefined ? patientsOf(schema, patientType, run.operation, answer?.data) : []),
    [schema, patientType, run, answer],
  )
  const [chosen, setChosen] = useState<string>()
  const patient = chosen ?? patients[0] ?? ''
  const [explained, setExplained] = useState<Explained>()
  useEffect(() => {
    let isCurrent = true
    if (schema) {
      setExplained(undefined)
      explain(schema, session, run.operation, patient === '' ? undefined : patient).then(
        (result) => isCurrent && setExplained(result),
        () => isCurrent && setExplained({ unavailable: 'The plan could not be read.' }),
      )
    }
    return () => {
      isCurrent = false
    }
  }, [schema, session, run, patient])
  return (
    <>
      {patients.length > 0 && (
        <label className="patient">
          Patient
          <select value={patient} onChange={({ target }) => setChosen(target.value)}>
            {patients.map((id, index) => (
              <option key={id} value={id}>
                {`${index + 1} of ${patients.length}: ${shortId(id)}`}
              </option>
            ))}
            <option value="">any patient</option>
          </select>
        </label>
      )}
      <PlanSection explained={explained} rules={config.rules} />
      <AnswerSection answer={answer} rules={config.rules} />
    </>
  )
}

/** Ids of one type begin with the same letters. */
const shortId = (id: string): string => (id.length > 14 ? `…${id.slice(-12)}` : id)
