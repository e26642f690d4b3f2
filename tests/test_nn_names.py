"""The names that courses use are there, or answer with what does the same."""

import numpy as np
import pytest

import tinygrad_hw as tg
from tinygrad_hw import Tensor, nn, optim

NN = """Linear Conv1d Conv2d ConvTranspose2d MaxPool1d MaxPool2d AvgPool1d AvgPool2d AdaptiveAvgPool2d Flatten Unflatten Identity
    BatchNorm1d BatchNorm2d LayerNorm RMSNorm GroupNorm Dropout Embedding RNN LSTM GRU RNNCell LSTMCell GRUCell MultiheadAttention
    TransformerEncoderLayer Sequential ModuleList ModuleDict Module Parameter ParameterList
    LazyLinear LazyConv2d LazyBatchNorm1d LazyBatchNorm2d
    ReLU GELU SiLU ELU LeakyReLU Sigmoid Tanh Softplus Softmax LogSoftmax
    MSELoss L1Loss HuberLoss SmoothL1Loss CrossEntropyLoss NLLLoss BCELoss BCEWithLogitsLoss KLDivLoss functional init utils"""
FUNCTIONAL = """linear conv1d conv2d conv_transpose2d max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool2d pad interpolate
    batch_norm layer_norm rms_norm dropout embedding one_hot normalize cosine_similarity scaled_dot_product_attention
    relu gelu silu elu leaky_relu sigmoid tanh softplus softmax log_softmax logsigmoid
    mse_loss l1_loss huber_loss smooth_l1_loss cross_entropy nll_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div"""
INIT = """uniform_ normal_ trunc_normal_ constant_ ones_ zeros_ xavier_uniform_ xavier_normal_ kaiming_uniform_ kaiming_normal_ orthogonal_
    calculate_gain"""
OPTIM = "SGD Adam AdamW RMSprop Adagrad LBFGS lr_scheduler Optimizer"
SCHEDULES = "StepLR MultiStepLR ExponentialLR CosineAnnealingLR LinearLR LambdaLR SequentialLR"
MODULE = """parameters named_parameters modules named_modules children named_children buffers named_buffers register_buffer
    register_parameter add_module state_dict load_state_dict train eval zero_grad apply to cuda cpu float double half requires_grad_ forward
    training"""
OPTIMISER = "step zero_grad state_dict load_state_dict param_groups"
PLACES = [
    (nn, NN), (nn.functional, FUNCTIONAL), (nn.init, INIT), (nn.utils, "clip_grad_norm_ clip_grad_value_"), (optim, OPTIM),
    (tg.data, "DataLoader TensorDataset random_split batches accuracy"),
    (optim.lr_scheduler, SCHEDULES), (nn.Linear(1, 1), MODULE), (optim.SGD([Tensor(1.0, requires_grad=True)], 0.1), OPTIMISER),
]  # fmt: skip
NAMES = [(place, name) for place, names in PLACES for name in names.split()]


def test_a_name_is_there_or_answers_with_what_does_the_same():
    for place, name in NAMES:
        if getattr(place, name, None) is None:
            with pytest.raises(AttributeError, match=f"(?s)has no attribute {name!r}: .*write "):
                getattr(place, name)


def test_most_names_are_there():
    there = [name for place, name in NAMES if hasattr(place, name)]
    assert len(there) >= 0.8 * len(NAMES), sorted({name for _, name in NAMES} - set(there))


def test_what_is_written_instead_does_the_same():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    weight = np.random.default_rng(1).normal(size=(3, 5, 2, 2))
    y = tg.vjp(lambda z: nn.functional.conv2d(z, weight), np.zeros((2, 5, 5, 5)))[1](x)  # a transposed convolution
    assert y.shape == (2, 5, 5, 5)
    np.testing.assert_allclose(np.sum(y), np.einsum("ncij,cokl->", x, weight), rtol=1e-10)
    grouped = nn.functional.layer_norm(x.reshape(2, 1, -1)).reshape(x.shape)
    np.testing.assert_allclose(grouped.mean((1, 2, 3)), 0, atol=1e-14)
    assert hasattr(nn.Linear(1, 1), "parameters")
    assert not hasattr(nn.Linear(1, 1), "nonsense")
