import { createImageRoute } from 'calotype-ai-provider/next';
import { limits } from '../../../lib/limits';

export const { GET, POST } = createImageRoute({ limits });
