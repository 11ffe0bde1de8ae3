import { Icon } from './icons';

const EXAMPLES = [
  'a red fox on a blue background',
  'a big green apple on a white background',
  'a yellow boat on a blue background',
];

export function EmptyStage({ suggest }: { suggest: (prompt: string) => void }) {
  return (
    <div className="empty">
      <Icon name="picture" />
      <p>What you paint appears here.</p>
      <ul role="list" aria-label="Examples" className="examples">
        {EXAMPLES.map(example => (
          <li key={example}>
            <button type="button" className="button button-quiet" onClick={() => suggest(example)}>
              {example}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
