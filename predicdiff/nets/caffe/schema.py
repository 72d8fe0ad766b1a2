"""Caffe's messages: a table of their fields, made into protobuf classes at run time in a descriptor pool of our own.

Two definitions of ``caffe.NetParameter`` in protobuf's default pool clash, and pycaffe brings one; generated code wants
the protobuf that it was generated for. A descriptor built at run time in a private pool has neither trouble.
"""

from __future__ import annotations

import functools
from typing import Any, Iterator

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool

#: Not Caffe's own ``caffe``: protobuf in C++ has pools behind the pools that Python sees.
PACKAGE = "predicdiff.caffe"

# fmt: off
# Types of old files (V1) are called the same since, in other letters: INNER_PRODUCT is InnerProduct. These are not.
_RENAMED = {
    "ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BN": "BN", "BNLL": "BNLL", "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output", "IM2COL": "Im2col", "LRN": "LRN", "MVN": "MVN", "NONE": "", "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss", "TANH": "TanH",
}
# fmt: on

# A message's name, and below it its fields by type, each with its number; * marks repeated ones, ! required ones.
# Defaults are left out: what a field means when it is not there is for the layers to say. An enum stands in the message
# that uses it, or, like Phase, on its own. Of forks, whose numbers differ, are ceil_mode, a layer's parameters behind
# clip_param, the old type BN, and what scales in BatchNormParameter.
_TABLE = """
enum Phase: TRAIN 0, TEST 1

BlobShape
    int64: dim* 1
BlobProto
    int32: num 1, channels 2, height 3, width 4
    float: data* 5, diff* 6
    BlobShape: shape 7
    double: double_data* 8, double_diff* 9
FillerParameter
    string: type 1
    float: value 2, min 3, max 4, mean 5, std 6
    int32: sparse 7
    enum VarianceNorm: FAN_IN 0, FAN_OUT 1, AVERAGE 2
    VarianceNorm: variance_norm 8
NetParameter
    string: name 1, input* 3
    V1LayerParameter: layers* 2
    int32: input_dim* 4
    bool: force_backward 5, debug_info 7
    NetState: state 6
    BlobShape: input_shape* 8
    LayerParameter: layer* 100
NetState
    Phase: phase 1
    int32: level 2
    string: stage* 3
NetStateRule
    Phase: phase 1
    int32: min_level 2, max_level 3
    string: stage* 4, not_stage* 5
ParamSpec
    string: name 1
    enum DimCheckMode: STRICT 0, PERMISSIVE 1
    DimCheckMode: share_mode 2
    float: lr_mult 3, decay_mult 4
LayerParameter
    string: name 1, type 2, bottom* 3, top* 4
    float: loss_weight* 5
    ParamSpec: param* 6
    BlobProto: blobs* 7
    NetStateRule: include* 8, exclude* 9
    Phase: phase 10
    bool: propagate_down* 11
    TransformationParameter: transform_param 100; LossParameter: loss_param 101; AccuracyParameter: accuracy_param 102
    ArgMaxParameter: argmax_param 103; ConcatParameter: concat_param 104
    ContrastiveLossParameter: contrastive_loss_param 105; ConvolutionParameter: convolution_param 106
    DataParameter: data_param 107; DropoutParameter: dropout_param 108; DummyDataParameter: dummy_data_param 109
    EltwiseParameter: eltwise_param 110; ExpParameter: exp_param 111; HDF5DataParameter: hdf5_data_param 112
    HDF5OutputParameter: hdf5_output_param 113; HingeLossParameter: hinge_loss_param 114
    ImageDataParameter: image_data_param 115; InfogainLossParameter: infogain_loss_param 116
    InnerProductParameter: inner_product_param 117; LRNParameter: lrn_param 118
    MemoryDataParameter: memory_data_param 119; MVNParameter: mvn_param 120; PoolingParameter: pooling_param 121
    PowerParameter: power_param 122; ReLUParameter: relu_param 123; SigmoidParameter: sigmoid_param 124
    SoftmaxParameter: softmax_param 125; SliceParameter: slice_param 126; TanHParameter: tanh_param 127
    ThresholdParameter: threshold_param 128; WindowDataParameter: window_data_param 129
    PythonParameter: python_param 130; PReLUParameter: prelu_param 131; SPPParameter: spp_param 132
    ReshapeParameter: reshape_param 133; LogParameter: log_param 134; FlattenParameter: flatten_param 135
    ReductionParameter: reduction_param 136; EmbedParameter: embed_param 137; TileParameter: tile_param 138
    BatchNormParameter: batch_norm_param 139; ELUParameter: elu_param 140; BiasParameter: bias_param 141
    ScaleParameter: scale_param 142; InputParameter: input_param 143; CropParameter: crop_param 144
    ParameterParameter: parameter_param 145; RecurrentParameter: recurrent_param 146; SwishParameter: swish_param 147
    ClipParameter: clip_param 148
    ShuffleChannelParameter: shuffle_channel_param 164; PermuteParameter: permute_param 202
    NormalizeParameter: norm_param 206; BNParameter: bn_param 1137; ReLU6Parameter: relu6_param 100000
TransformationParameter
    float: scale 1, mean_value* 5
    bool: mirror 2, force_color 6, force_gray 7
    uint32: crop_size 3
    string: mean_file 4
LossParameter
    int32: ignore_label 1
    bool: normalize 2
    enum NormalizationMode: FULL 0, VALID 1, BATCH_SIZE 2, NONE 3
    NormalizationMode: normalization 3
AccuracyParameter
    uint32: top_k 1
    int32: axis 2, ignore_label 3
ArgMaxParameter
    bool: out_max_val 1
    uint32: top_k 2
    int32: axis 3
BatchNormParameter
    bool: use_global_stats 1, scale_bias 7
    float: moving_average_fraction 2, eps 3
    FillerParameter: scale_filler 5, bias_filler 6
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 4
BiasParameter
    int32: axis 1, num_axes 2
    FillerParameter: filler 3
BNParameter
    FillerParameter: slope_filler 1, bias_filler 2, scale_filler 7, shift_filler 8
    float: momentum 3, eps 4, var_eps 10, decay 11
    bool: frozen 5, moving_average 12
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 6
    enum BNMode: LEARN 0, INFERENCE 1
    BNMode: bn_mode 9
    int32: axis 13
ClipParameter
    float: min! 1, max! 2
ConcatParameter
    uint32: concat_dim 1
    int32: axis 2
ContrastiveLossParameter
    float: margin 1
    bool: legacy_version 2
ConvolutionParameter
    uint32: num_output 1, pad* 3, kernel_size* 4, group 5, stride* 6, pad_h 9, pad_w 10, kernel_h 11, kernel_w 12
    uint32: stride_h 13, stride_w 14, dilation* 18
    bool: bias_term 2, force_nd_im2col 17
    FillerParameter: weight_filler 7, bias_filler 8
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 15
    int32: axis 16
CropParameter
    int32: axis 1
    uint32: offset* 2
DataParameter
    string: source 1, mean_file 3
    float: scale 2
    uint32: batch_size 4, crop_size 5, rand_skip 7, prefetch 10
    bool: mirror 6, force_encoded_color 9
    enum DB: LEVELDB 0, LMDB 1
    DB: backend 8
DropoutParameter
    float: dropout_ratio 1
DummyDataParameter
    FillerParameter: data_filler* 1
    uint32: num* 2, channels* 3, height* 4, width* 5
    BlobShape: shape* 6
EltwiseParameter
    enum EltwiseOp: PROD 0, SUM 1, MAX 2
    EltwiseOp: operation 1
    float: coeff* 2
    bool: stable_prod_grad 3
ELUParameter
    float: alpha 1
EmbedParameter
    uint32: num_output 1, input_dim 2
    bool: bias_term 3
    FillerParameter: weight_filler 4, bias_filler 5
ExpParameter
    float: base 1, scale 2, shift 3
FlattenParameter
    int32: axis 1, end_axis 2
HDF5DataParameter
    string: source 1
    uint32: batch_size 2
    bool: shuffle 3
HDF5OutputParameter
    string: file_name 1
HingeLossParameter
    enum Norm: L1 1, L2 2
    Norm: norm 1
ImageDataParameter
    string: source 1, mean_file 3, root_folder 12
    float: scale 2
    uint32: batch_size 4, crop_size 5, rand_skip 7, new_height 9, new_width 10
    bool: mirror 6, shuffle 8, is_color 11
InfogainLossParameter
    string: source 1
    int32: axis 2
InnerProductParameter
    uint32: num_output 1
    bool: bias_term 2, transpose 6
    FillerParameter: weight_filler 3, bias_filler 4
    int32: axis 5
InputParameter
    BlobShape: shape* 1
LogParameter
    float: base 1, scale 2, shift 3
LRNParameter
    uint32: local_size 1
    float: alpha 2, beta 3, k 5
    enum NormRegion: ACROSS_CHANNELS 0, WITHIN_CHANNEL 1
    NormRegion: norm_region 4
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 6
MemoryDataParameter
    uint32: batch_size 1, channels 2, height 3, width 4
MVNParameter
    bool: normalize_variance 1, across_channels 2
    float: eps 3
NormalizeParameter
    bool: across_spatial 1, channel_shared 3
    FillerParameter: scale_filler 2
    float: eps 4
ParameterParameter
    BlobShape: shape 1
PermuteParameter
    uint32: order* 1
PoolingParameter
    enum PoolMethod: MAX 0, AVE 1, STOCHASTIC 2
    PoolMethod: pool 1
    uint32: kernel_size 2, stride 3, pad 4, kernel_h 5, kernel_w 6, stride_h 7, stride_w 8, pad_h 9, pad_w 10
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 11
    bool: global_pooling 12
    enum RoundMode: CEIL 0, FLOOR 1
    RoundMode: round_mode 13
    bool: ceil_mode 14
PowerParameter
    float: power 1, scale 2, shift 3
PReLUParameter
    FillerParameter: filler 1
    bool: channel_shared 2
PythonParameter
    string: module 1, layer 2, param_str 3
    bool: share_in_parallel 4
RecurrentParameter
    uint32: num_output 1
    FillerParameter: weight_filler 2, bias_filler 3
    bool: debug_info 4, expose_hidden 5
ReductionParameter
    enum ReductionOp: SUM 1, ASUM 2, SUMSQ 3, MEAN 4
    ReductionOp: operation 1
    int32: axis 2
    float: coeff 3
ReLU6Parameter
    float: negative_slope 1
ReLUParameter
    float: negative_slope 1
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 2
ReshapeParameter
    BlobShape: shape 1
    int32: axis 2, num_axes 3
ScaleParameter
    int32: axis 1, num_axes 2
    FillerParameter: filler 3, bias_filler 5
    bool: bias_term 4
ShuffleChannelParameter
    uint32: group 1
SigmoidParameter
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 1
SliceParameter
    uint32: slice_dim 1, slice_point* 2
    int32: axis 3
SoftmaxParameter
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 1
    int32: axis 2
SPPParameter
    uint32: pyramid_height 1
    enum PoolMethod: MAX 0, AVE 1, STOCHASTIC 2
    PoolMethod: pool 2
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 6
SwishParameter
    float: beta 1
TanHParameter
    enum Engine: DEFAULT 0, CAFFE 1, CUDNN 2
    Engine: engine 1
ThresholdParameter
    float: threshold 1
TileParameter
    int32: axis 1, tiles 2
WindowDataParameter
    string: source 1, mean_file 3, crop_mode 11, root_folder 13
    float: scale 2, fg_threshold 7, bg_threshold 8, fg_fraction 9
    uint32: batch_size 4, crop_size 5, context_pad 10
    bool: mirror 6, cache_images 12
V1LayerParameter
    V0LayerParameter: layer 1
    string: bottom* 2, top* 3, name 4, param* 1001
    enum LayerType: NONE 0, ACCURACY 1, BNLL 2, CONCAT 3, CONVOLUTION 4, DATA 5, DROPOUT 6, EUCLIDEAN_LOSS 7, FLATTEN 8
    enum LayerType: HDF5_DATA 9, HDF5_OUTPUT 10, IM2COL 11, IMAGE_DATA 12, INFOGAIN_LOSS 13, INNER_PRODUCT 14, LRN 15
    enum LayerType: MULTINOMIAL_LOGISTIC_LOSS 16, POOLING 17, RELU 18, SIGMOID 19, SOFTMAX 20, SOFTMAX_LOSS 21, SPLIT 22
    enum LayerType: TANH 23, WINDOW_DATA 24, ELTWISE 25, POWER 26, SIGMOID_CROSS_ENTROPY_LOSS 27, HINGE_LOSS 28
    enum LayerType: MEMORY_DATA 29, ARGMAX 30, THRESHOLD 31, DUMMY_DATA 32, SLICE 33, MVN 34, ABSVAL 35, SILENCE 36
    enum LayerType: CONTRASTIVE_LOSS 37, EXP 38, DECONVOLUTION 39, BN 1137
    LayerType: type 5
    BlobProto: blobs* 6
    float: blobs_lr* 7, weight_decay* 8, loss_weight* 35
    NetStateRule: include* 32, exclude* 33
    enum DimCheckMode: STRICT 0, PERMISSIVE 1
    DimCheckMode: blob_share_mode* 1002
    ConcatParameter: concat_param 9; ConvolutionParameter: convolution_param 10; DataParameter: data_param 11
    DropoutParameter: dropout_param 12; HDF5DataParameter: hdf5_data_param 13
    HDF5OutputParameter: hdf5_output_param 14; ImageDataParameter: image_data_param 15
    InfogainLossParameter: infogain_loss_param 16; InnerProductParameter: inner_product_param 17
    LRNParameter: lrn_param 18; PoolingParameter: pooling_param 19; WindowDataParameter: window_data_param 20
    PowerParameter: power_param 21; MemoryDataParameter: memory_data_param 22; ArgMaxParameter: argmax_param 23
    EltwiseParameter: eltwise_param 24; ThresholdParameter: threshold_param 25
    DummyDataParameter: dummy_data_param 26; AccuracyParameter: accuracy_param 27
    HingeLossParameter: hinge_loss_param 29; ReLUParameter: relu_param 30; SliceParameter: slice_param 31
    MVNParameter: mvn_param 34; TransformationParameter: transform_param 36; TanHParameter: tanh_param 37
    SigmoidParameter: sigmoid_param 38; SoftmaxParameter: softmax_param 39
    ContrastiveLossParameter: contrastive_loss_param 40; ExpParameter: exp_param 41; LossParameter: loss_param 42
    BNParameter: bn_param 1137
V0LayerParameter
    string: name 1, type 2
"""


@functools.lru_cache(maxsize=None)
def message_class(name: str) -> Any:
    """Protobuf class of one of Caffe's messages, e.g. ``"NetParameter"``."""
    descriptor = pool().FindMessageTypeByName(f"{PACKAGE}.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return _factory().GetPrototype(descriptor)  # protobuf before 4.22


@functools.lru_cache(maxsize=None)
def v1_types() -> dict[int, str]:
    """Layer types of old files (V1), by their number, as they are called since."""
    types = pool().FindEnumTypeByName(f"{PACKAGE}.V1LayerParameter.LayerType").values
    return {type.number: _RENAMED.get(type.name, type.name.title().replace("_", "")) for type in types}


@functools.lru_cache(maxsize=None)
def pool() -> DescriptorPool:
    """Our own pool, with all of the table in it."""
    result = DescriptorPool()
    result.AddSerializedFile(file_descriptor().SerializeToString())
    return result


@functools.lru_cache(maxsize=None)
def _factory() -> Any:
    return message_factory.MessageFactory(pool())


def file_descriptor() -> FileDescriptorProto:
    """The table as protobuf describes a file."""
    file = FileDescriptorProto(name="predicdiff/caffe.proto", package=PACKAGE, syntax="proto2")
    message = DescriptorProto()
    for indented, head, items in _lines():
        if head.startswith("enum "):
            _add_enum(message.enum_type if indented else file.enum_type, head[5:], items)
        elif indented:
            _add_fields(file, message, head, items)
        else:
            message = file.message_type.add(name=head)
    return file


def _lines() -> Iterator[tuple[bool, str, list[tuple[str, int]]]]:
    """Is it indented, what stands before the colon, and the names and numbers after it."""
    for line in filter(None, _TABLE.splitlines()):
        for part in line.split("; "):
            head, _, rest = part.strip().partition(": ")
            items = [item.split() for item in rest.split(", ")] if rest else []
            yield line.startswith(" "), head, [(name, int(number)) for name, number in items]


def _add_enum(enums: Any, name: str, items: list[tuple[str, int]]) -> None:
    known: dict[str, EnumDescriptorProto] = {enum.name: enum for enum in enums}
    enum = known.get(name) or enums.add(name=name)
    for value, number in items:
        enum.value.add(name=value, number=number)


def _add_fields(file: FileDescriptorProto, message: DescriptorProto, kind: str, items: list[tuple[str, int]]) -> None:
    labels = {"*": FieldDescriptorProto.LABEL_REPEATED, "!": FieldDescriptorProto.LABEL_REQUIRED}
    for name, number in items:
        label = labels.get(name[-1], FieldDescriptorProto.LABEL_OPTIONAL)
        field = message.field.add(name=name.rstrip("*!"), number=number, label=label)
        if kind.islower():
            field.type = getattr(FieldDescriptorProto, f"TYPE_{kind.upper()}")
        elif kind in (enum.name for enum in message.enum_type):
            field.type, field.type_name = FieldDescriptorProto.TYPE_ENUM, f".{PACKAGE}.{message.name}.{kind}"
        elif kind in (enum.name for enum in file.enum_type):
            field.type, field.type_name = FieldDescriptorProto.TYPE_ENUM, f".{PACKAGE}.{kind}"
        else:
            field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
